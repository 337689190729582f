//! Connections in all, shared by runs that are held side by side.

use std::cell::Cell;
use std::rc::Rc;

use tokio::sync::Notify;

/// How many connections may be open at once, whichever run they belong to.
#[derive(Debug)]
pub(super) struct Pool {
    limit: usize,
    open: Rc<Open>,
}

#[derive(Debug, Default)]
struct Open {
    count: Cell<usize>,
    freed: Notify,
}

/// The leave for one connection; dropping it gives it back.
#[derive(Debug)]
pub(super) struct Permit(Rc<Open>);

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.count.set(self.0.count.get().saturating_sub(1));
        self.0.freed.notify_waiters();
    }
}

impl Pool {
    pub(super) fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), open: Rc::default() }
    }

    /// Whether no connection is left.
    pub(super) fn is_full(&self) -> bool {
        self.open.count.get() >= self.limit
    }

    /// Takes one, which is the caller's to ask for only while the pool is not full.
    pub(super) fn take(&self) -> Permit {
        self.open.count.set(self.open.count.get() + 1);
        Permit(Rc::clone(&self.open))
    }

    /// Connections that are open.
    #[cfg(feature = "queue")]
    pub(super) fn open(&self) -> usize {
        self.open.count.get()
    }

    /// Ends when one is given back after this was first waited for. A run looks again once a second all the same.
    pub(super) async fn freed(&self) {
        self.open.freed.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_dropped_is_given_back() {
        let pool = Pool::new(2);
        let (first, second) = (pool.take(), pool.take());
        assert!(pool.is_full());
        drop(first);
        assert!(!pool.is_full());
        let third = pool.take();
        assert!(pool.is_full());
        drop((second, third));
        assert_eq!((pool.open.count.get(), Pool::new(0).is_full()), (0, false));
    }
}
