//! The blocks that the connections of a thread read into.

use bytes::BytesMut;

/// The size of a block. Only the part that is written needs memory.
pub(crate) const BLOCK: usize = 256 * 1024;

/// The size from which a body is not copied out of its block, and so keeps the block.
pub(crate) const LARGE: usize = 16 * 1024;

/// The minimum room to read into.
const ROOM: usize = 64 * 1024;

/// The number of blocks that a thread remembers while responses use them.
const REMEMBERED: usize = 16;

/// Blocks that are used again once nothing refers to them.
///
/// Allocators return large memory to the system when it is freed. The system clears it before it is used again, which takes
/// longer than to read a response into it.
#[derive(Default)]
pub(crate) struct Blocks {
    /// The rest of a block.
    current: BytesMut,
    /// The rests of blocks that are used up.
    others: Vec<BytesMut>,
    /// The one of `others` to replace next.
    oldest: usize,
}

impl Blocks {
    /// Returns an empty buffer to read into.
    pub(crate) fn input(&mut self) -> &mut BytesMut {
        self.current.clear();
        if self.current.capacity() < BLOCK {
            self.make_room(ROOM);
        }
        &mut self.current
    }

    /// Returns an empty buffer with a capacity of `size`, which is at most [`BLOCK`].
    pub(crate) fn buffer(&mut self, size: usize) -> BytesMut {
        self.current.clear();
        if self.current.capacity() < BLOCK {
            self.make_room(size);
        }
        let rest = self.current.split_off(size);
        std::mem::replace(&mut self.current, rest)
    }

    #[cold]
    fn make_room(&mut self, size: usize) {
        if self.current.try_reclaim(BLOCK) || self.current.capacity() >= size {
            return;
        }
        let free = self.others.iter_mut().position(|block| block.try_reclaim(BLOCK));
        let block = match free {
            Some(index) => std::mem::take(&mut self.others[index]),
            None => BytesMut::with_capacity(BLOCK),
        };
        let used = std::mem::replace(&mut self.current, block);
        match free {
            Some(index) => self.others[index] = used,
            None if self.others.len() < REMEMBERED => self.others.push(used),
            None => {
                self.others[self.oldest] = used;
                self.oldest = (self.oldest + 1) % REMEMBERED;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(blocks: &mut Blocks, size: usize) -> BytesMut {
        let input = blocks.input();
        assert!(input.is_empty() && input.capacity() >= ROOM);
        let size = size.min(input.capacity());
        input.resize(size, 0);
        input.split()
    }

    #[test]
    fn blocks_are_reused_once_nothing_refers_to_them() {
        let mut blocks = Blocks::default();
        let first = read(&mut blocks, 100_000);
        let start = first.as_ptr();
        drop(first);
        for _ in 0..10 {
            assert_eq!(read(&mut blocks, 100_000).as_ptr(), start);
        }
        let kept: Vec<_> = (0..10).map(|_| read(&mut blocks, 100_000)).collect();
        let places: Vec<_> = kept.iter().map(|bytes| bytes.as_ptr()).collect();
        drop(kept);
        for _ in 0..10 {
            assert!(places.contains(&read(&mut blocks, 100_000).as_ptr()));
        }
    }

    #[test]
    fn few_blocks_are_remembered() {
        let mut blocks = Blocks::default();
        let kept: Vec<_> = (0..100).map(|_| read(&mut blocks, BLOCK)).collect();
        assert_eq!(blocks.others.len(), REMEMBERED);
        drop(kept);
        let buffer = blocks.buffer(BLOCK);
        assert_eq!((buffer.len(), buffer.capacity()), (0, BLOCK));
    }
}
