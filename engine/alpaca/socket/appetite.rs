//! How much is taken from a socket before it is acted on.
//!
//! A burst of frames is taken in small bites, so that its first quote is acted on at once instead of after
//! its last was decoded. Only when bite after bite comes off full for a while is the reader behind: then everything the
//! socket has is taken first, so that the handler can conflate and act on the newest, until the socket has run dry.

/// Frames of one bite.
pub(super) const FRAMES_PER_BITE: usize = 8;
/// How long bites may come off full before the reader counts as behind, in nanoseconds. A machine's stall of several
/// milliseconds is caught up with quote by quote; what lasts longer is overload.
const BEHIND_AFTER_NS: u64 = 10_000_000;

/// The state of one connection's reader. Times are monotonic.
#[derive(Debug, Default)]
pub(super) struct Appetite {
    /// Since when the socket has not run dry.
    full_since_ns: Option<u64>,
    is_behind: bool,
}

impl Appetite {
    /// Most frames to take now, when everything is at most `all` of them.
    pub(super) const fn frames(&self, all: usize) -> usize {
        if self.is_behind { all } else { FRAMES_PER_BITE }
    }

    /// A bite was taken at `now_ns`; `is_dry` when the socket had nothing more.
    pub(super) fn took(&mut self, is_dry: bool, now_ns: u64) {
        if is_dry {
            *self = Self::default();
        } else {
            let since_ns = *self.full_since_ns.get_or_insert(now_ns);
            self.is_behind |= now_ns.saturating_sub(since_ns) > BEHIND_AFTER_NS;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_behind_takes_everything_until_the_socket_is_dry() {
        let mut appetite = Appetite::default();
        for now_ns in [5, 1000, BEHIND_AFTER_NS + 5] {
            assert_eq!(appetite.frames(4096), FRAMES_PER_BITE);
            appetite.took(false, now_ns);
        }
        assert_eq!(appetite.frames(4096), FRAMES_PER_BITE, "not longer than allowed");
        appetite.took(false, BEHIND_AFTER_NS + 6);
        assert_eq!(appetite.frames(4096), 4096);
        appetite.took(false, BEHIND_AFTER_NS + 7);
        assert_eq!(appetite.frames(4096), 4096, "still behind");
        appetite.took(true, BEHIND_AFTER_NS + 8);
        assert_eq!(appetite.frames(4096), FRAMES_PER_BITE);
        appetite.took(false, 3 * BEHIND_AFTER_NS);
        assert_eq!(appetite.frames(4096), FRAMES_PER_BITE, "it counts from anew");
    }
}
