//! Running a piece of arithmetic with the widest vectors the machine has.
//!
//! `pulp` compiles a closure once for each instruction set, provided that it can be inlined there. A closure that could be
//! called twice is called through a shim, which cannot; so the macro makes each one consume a token.

/// What a closure consumes to be callable only once.
pub(crate) struct Whole;

/// Evaluates the expression in code compiled for the best instruction set of this machine.
macro_rules! vectorised {
    ($body:expr) => {{
        let whole = $crate::dispatch::Whole;
        pulp::Arch::new().dispatch(
            #[inline(always)]
            move || {
                let _whole = whole;
                $body
            },
        )
    }};
}
pub(crate) use vectorised;
