//! Values of any type that a worker keeps, by their type.

use std::{
    any::{Any, TypeId},
    cell::RefCell,
    rc::Rc,
};

/// A few values: a list is the smallest place for them, and the fastest.
#[derive(Default)]
pub(crate) struct Attachments(RefCell<Vec<(TypeId, Rc<dyn Any>)>>);

impl Attachments {
    /// Keeps a value; one of the same type goes.
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
        // What it does when it goes may attach something itself.
        drop(values);
        drop(replaced);
    }

    /// Lets go of all of them.
    pub(crate) fn clear(&self) {
        let values = self.0.take();
        drop(values);
    }

    /// The value of this type.
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
    fn values_are_kept_by_type() {
        let attachments = Attachments::default();
        assert_eq!(attachments.attached::<u32>(), None);
        attachments.attach(1_u32);
        attachments.attach("text");
        attachments.attach(2_u32);
        assert_eq!(attachments.attached::<u32>().as_deref(), Some(&2));
        assert_eq!(attachments.attached::<&str>().as_deref(), Some(&"text"));
    }
}
