//! Values of any type, stored by type.

use std::{
    any::{Any, TypeId},
    cell::RefCell,
    rc::Rc,
};

/// Attached values. There are few, so a list is small and fast.
#[derive(Default)]
pub(crate) struct Attachments(RefCell<Vec<(TypeId, Rc<dyn Any>)>>);

impl Attachments {
    /// Attaches a value, replacing one of the same type.
    pub(crate) fn attach<T: 'static>(&self, value: T) {
        let (id, value) = (TypeId::of::<T>(), Rc::new(value) as Rc<dyn Any>);
        let mut values = self.0.borrow_mut();
        let replaced = match values.iter_mut().find(|(known, _)| *known == id) {
            Some((_, slot)) => Some(std::mem::replace(slot, value)),
            None => {
                values.push((id, value));
                None
            }
        };
        // Dropping the old value may attach another one.
        drop(values);
        drop(replaced);
    }

    /// Drops all values.
    pub(crate) fn clear(&self) {
        let values = self.0.take();
        drop(values);
    }

    /// Returns the value of type `T`.
    pub(crate) fn attached<T: 'static>(&self) -> Option<Rc<T>> {
        let id = TypeId::of::<T>();
        let value = self.0.borrow().iter().find(|(known, _)| *known == id).map(|(_, value)| value.clone());
        value.and_then(|value| value.downcast().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_stored_by_type() {
        let attachments = Attachments::default();
        assert_eq!(attachments.attached::<u32>(), None);
        attachments.attach(1_u32);
        attachments.attach("text");
        attachments.attach(2_u32);
        assert_eq!(attachments.attached::<u32>().as_deref(), Some(&2));
        assert_eq!(attachments.attached::<&str>().as_deref(), Some(&"text"));
    }
}
