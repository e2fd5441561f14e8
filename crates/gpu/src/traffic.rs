//! What a device was asked to do, counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a [`Gpu`](crate::Gpu) and its clones have asked of their device so far: to see that a loop does no more than it should.
/// What a caller does with the device and the queue themselves is not counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Submits of commands, those that read a buffer back among them.
    pub submits: u64,
    /// Buffers made.
    pub buffers: u64,
    /// Bytes written into buffers from the host.
    pub bytes_written: u64,
    /// Bytes read back.
    pub bytes_read: u64,
}

impl Traffic {
    /// What was added since an earlier count.
    #[must_use]
    pub const fn since(&self, earlier: &Self) -> Self {
        Self {
            submits: self.submits - earlier.submits,
            buffers: self.buffers - earlier.buffers,
            bytes_written: self.bytes_written - earlier.bytes_written,
            bytes_read: self.bytes_read - earlier.bytes_read,
        }
    }
}

/// The counters behind [`Traffic`].
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) submits: Counter,
    pub(crate) buffers: Counter,
    pub(crate) bytes_written: Counter,
    pub(crate) bytes_read: Counter,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        // Nothing else is read by what a count says.
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

impl Counters {
    pub(crate) fn traffic(&self) -> Traffic {
        Traffic {
            submits: self.submits.count(),
            buffers: self.buffers.count(),
            bytes_written: self.bytes_written.count(),
            bytes_read: self.bytes_read.count(),
        }
    }
}
