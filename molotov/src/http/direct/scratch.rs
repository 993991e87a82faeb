//! The buffers that the connections of a thread share.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};

use super::{blocks::Blocks, head::Heads};

/// The buffers that all connections of a thread read into and write from.
///
/// A connection keeps bytes only while a response is incomplete, so an idle one needs little memory.
pub(crate) struct Scratch {
    pub(crate) output: Vec<u8>,
    pub(crate) input: Blocks,
    pub(crate) reader: Reader,
}

/// What the connections of a thread share to read responses.
#[derive(Default)]
pub(crate) struct Reader {
    pub(crate) heads: Heads,
    pub(crate) arena: Arena,
}

thread_local! {
    pub(crate) static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        output: Vec::with_capacity(4096),
        input: Blocks::default(),
        reader: Reader::default(),
    });
}

/// The size of the blocks of an arena.
const BLOCK: usize = 4096;

/// The largest response that is copied into a block.
const SMALL: usize = 1024;

/// Holds small responses, without an allocation for each.
///
/// They share blocks. A block is used again once all of its responses are dropped, so a response that is kept keeps its block.
#[derive(Default)]
pub(crate) struct Arena(BytesMut);

impl Arena {
    /// Returns what `fill` writes, which is at most `size` bytes.
    pub(crate) fn build<E>(
        &mut self,
        size: usize,
        fill: impl FnOnce(&mut BytesMut) -> Result<(), E>,
    ) -> Result<Bytes, E> {
        if size > SMALL {
            let mut buffer = BytesMut::with_capacity(size);
            fill(&mut buffer)?;
            return Ok(buffer.freeze());
        }
        // An error may have left something.
        self.0.clear();
        if self.0.capacity() < size {
            // This takes the block from its start if nothing refers to it, and otherwise allocates another.
            self.0.reserve(BLOCK);
        }
        fill(&mut self.0)?;
        Ok(self.0.split().freeze())
    }

    /// Returns a copy.
    pub(crate) fn copy(&mut self, bytes: &[u8]) -> Bytes {
        if bytes.len() > SMALL {
            return Bytes::copy_from_slice(bytes);
        }
        let copied = self.build(bytes.len(), |buffer| {
            buffer.extend_from_slice(bytes);
            Ok::<_, std::convert::Infallible>(())
        });
        let Ok(copied) = copied;
        copied
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arenas_reuse_blocks_that_nothing_refers_to() {
        let mut arena = Arena::default();
        let kept = arena.copy(&[1; 500]);
        let block = kept.as_ptr();
        for _ in 0..100 {
            assert_eq!(arena.copy(&[2; 500]), [2; 500][..]);
        }
        assert_eq!(kept, [1; 500][..]);
        let other = arena.copy(&[3; 500]).as_ptr();
        drop(kept);
        for n in 0..100 {
            let copy = arena.copy(&[n; 500]);
            assert_eq!(copy, [n; 500][..]);
            assert_ne!(copy.as_ptr(), block, "the first block has been freed");
            assert!(copy.as_ptr().addr().abs_diff(other.addr()) < BLOCK, "{n} is in a new block");
        }
        assert_eq!(arena.copy(&[4; SMALL + 1]), [4; SMALL + 1][..]);
    }
}
