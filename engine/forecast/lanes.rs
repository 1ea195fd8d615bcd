//! Arithmetic on rows in vector registers, written once for AVX-512, AVX2 with FMA and the portable case; `pulp`
//! chooses at run time. Rows come padded with zeros to [`PAD`] numbers and leave so.
//!
//! exp is Cephes' expf (2e-7 relative); tanh, the logistic function and erf (Abramowitz and Stegun 7.1.26, 1.5e-7)
//! are made of it. All are within 1e-6 of the true value for results of about one.

use crate::graph::{Binary, Norm, Reduction, Unary};
use pulp::Simd;

/// Rows take a multiple of this many numbers: one AVX-512 register.
pub(crate) const PAD: usize = 16;

/// Numbers in a register.
#[inline(always)]
pub(crate) const fn lanes<S: Simd>() -> usize {
    S::F32_LANES
}

/// The same number in every lane. (Closures would not do anywhere here: what is not inlined into the code compiled
/// for a machine's instructions cannot use them.)
#[inline(always)]
fn all<S: Simd>(simd: S, x: f32) -> S::f32s {
    simd.splat_f32s(x)
}

#[inline(always)]
fn kept<S: Simd>(simd: S, x: S::f32s, low: f32, high: f32) -> S::f32s {
    // The bound comes first: of a number and NaN the hardware keeps the second.
    simd.min_f32s(all(simd, high), simd.max_f32s(all(simd, low), x))
}

/// exp(x) for x kept within what a float can hold.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = kept(simd, x, -87.0, 88.0);
    // Adding 1.5 * 2^23 rounds to the nearest integer and leaves it in the lowest bits.
    let magic = all(simd, 12_582_912.0);
    let rounded = simd.mul_add_e_f32s(x, all(simd, std::f32::consts::LOG2_E), magic);
    let n = simd.sub_f32s(rounded, magic);
    let r = simd.mul_add_e_f32s(n, all(simd, -0.693_359_4), x);
    let r = simd.mul_add_e_f32s(n, all(simd, 2.121_944_4e-4), r);
    let mut p = all(simd, 1.987_569_1e-4);
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = simd.mul_add_e_f32s(p, r, all(simd, c));
    }
    let p = simd.add_f32s(simd.mul_add_e_f32s(simd.mul_f32s(r, r), p, r), all(simd, 1.0));
    let bits = simd.wrapping_dyn_shl_u32s(simd.transmute_u32s_f32s(rounded), simd.splat_u32s(23));
    let power = simd.add_u32s(bits, simd.splat_u32s(127 << 23));
    simd.mul_f32s(p, simd.transmute_f32s_u32s(power))
}

/// The sign of one number on another that is not negative.
#[inline(always)]
fn with_sign_of<S: Simd>(simd: S, value: S::f32s, sign: S::f32s) -> S::f32s {
    let sign = simd.and_u32s(simd.transmute_u32s_f32s(sign), simd.splat_u32s(1 << 31));
    simd.transmute_f32s_u32s(simd.or_u32s(simd.transmute_u32s_f32s(value), sign))
}

#[inline(always)]
fn tanh<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let t = exp(simd, simd.mul_f32s(simd.abs_f32s(x), simd.splat_f32s(-2.0)));
    let size = simd.div_f32s(simd.sub_f32s(one, t), simd.add_f32s(one, t));
    with_sign_of(simd, size, x)
}

#[inline(always)]
fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))))
}

#[inline(always)]
fn erf<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let z = simd.abs_f32s(x);
    let t = simd.div_f32s(all(simd, 1.0), simd.mul_add_e_f32s(z, all(simd, 0.327_591_1), all(simd, 1.0)));
    let mut p = all(simd, 1.061_405_4);
    for c in [-1.453_152_1, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        p = simd.mul_add_e_f32s(p, t, all(simd, c));
    }
    let tail = simd.mul_f32s(simd.mul_f32s(p, t), exp(simd, simd.neg_f32s(simd.mul_f32s(z, z))));
    with_sign_of(simd, simd.sub_f32s(all(simd, 1.0), tail), x)
}

/// x where it is not negative, `below` elsewhere.
#[inline(always)]
fn unless_negative<S: Simd>(simd: S, x: S::f32s, below: S::f32s) -> S::f32s {
    simd.select_f32s(simd.less_than_f32s(x, simd.splat_f32s(0.0)), below, x)
}

/// exp(x) - 1.
#[inline(always)]
fn exp_less_one<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    simd.sub_f32s(exp(simd, x), all(simd, 1.0))
}

#[inline(always)]
fn of_register<S: Simd>(simd: S, f: Unary, x: S::f32s) -> S::f32s {
    match f {
        Unary::Relu => simd.max_f32s(all(simd, 0.0), x),
        Unary::LeakyRelu(slope) => unless_negative(simd, x, simd.mul_f32s(x, all(simd, slope))),
        Unary::Tanh => tanh(simd, x),
        Unary::Sigmoid => sigmoid(simd, x),
        Unary::Elu(alpha) => unless_negative(simd, x, simd.mul_f32s(all(simd, alpha), exp_less_one(simd, x))),
        Unary::Selu(alpha, gamma) => simd.mul_f32s(
            all(simd, gamma),
            unless_negative(simd, x, simd.mul_f32s(all(simd, alpha), exp_less_one(simd, x))),
        ),
        Unary::Gelu => {
            let half = simd.mul_f32s(x, all(simd, 0.5));
            simd.mul_add_e_f32s(
                half,
                erf(simd, simd.mul_f32s(x, all(simd, std::f32::consts::FRAC_1_SQRT_2))),
                half,
            )
        }
        Unary::GeluTanh => {
            let half = simd.mul_f32s(x, all(simd, 0.5));
            let cube = simd.mul_f32s(simd.mul_f32s(x, x), x);
            let inner =
                simd.mul_f32s(all(simd, 0.797_884_6), simd.mul_add_e_f32s(cube, all(simd, 0.044_715), x));
            simd.mul_add_e_f32s(half, tanh(simd, inner), half)
        }
        Unary::Erf => erf(simd, x),
        Unary::Exp => exp(simd, x),
        Unary::Sqrt => simd.sqrt_f32s(x),
        Unary::Square => simd.mul_f32s(x, x),
        Unary::Reciprocal => simd.div_f32s(all(simd, 1.0), x),
        Unary::Abs => simd.abs_f32s(x),
        Unary::Clip(low, high) => kept(simd, x, low, high),
        Unary::HardSigmoid(alpha, beta) => {
            kept(simd, simd.mul_add_e_f32s(x, all(simd, alpha), all(simd, beta)), 0.0, 1.0)
        }
        // Told apart by `is_scalar`.
        Unary::Log | Unary::Softplus | Unary::Probit => x,
    }
}

/// As onnxruntime computes it, in 32 bits and with its five digits of pi: near 1/2 the cancellation is part of the
/// answer.
fn probit(x: f32) -> f32 {
    #[expect(clippy::approx_constant, reason = "a constant of that approximation, not the circle's")]
    const PI: f32 = 3.14159;
    let y = 2.0 * x - 1.0;
    let log = libm::logf((1.0 - y) * (1.0 + y));
    let half = 2.0 / (PI * 0.147) + 0.5 * log;
    std::f32::consts::SQRT_2 * (-half + (half * half - 1.0 / 0.147 * log).sqrt()).sqrt().copysign(y)
}

/// Functions that are rare enough to be computed one number at a time.
fn of_number(f: Unary, x: f32) -> f32 {
    let wide = f64::from(x);
    let value = match f {
        Unary::Log => libm::log(wide),
        Unary::Softplus => wide.max(0.0) + libm::log1p(libm::exp(-wide.abs())),
        Unary::Probit => f64::from(probit(x)),
        _ => wide,
    };
    value as f32
}

const fn is_scalar(f: Unary) -> bool {
    matches!(f, Unary::Log | Unary::Softplus | Unary::Probit)
}

/// A row's registers.
#[inline(always)]
fn registers<S: Simd>(row: &[f32]) -> &[S::f32s] {
    S::as_simd_f32s(row).0
}

#[inline(always)]
fn registers_mut<S: Simd>(row: &mut [f32]) -> &mut [S::f32s] {
    S::as_mut_simd_f32s(row).0
}

/// Clears what is behind the row's end.
#[inline(always)]
fn clear_tail(row: &mut [f32], width: usize) {
    if width < row.len() {
        row[width..].fill(0.0);
    }
}

/// A function of each number.
#[inline(always)]
pub(crate) fn apply<S: Simd>(simd: S, f: Unary, x: &[f32], out: &mut [f32], width: usize) {
    if is_scalar(f) {
        for (out, x) in out[..width].iter_mut().zip(x) {
            *out = of_number(f, *x);
        }
    } else {
        for (out, x) in registers_mut::<S>(out).iter_mut().zip(registers::<S>(x)) {
            *out = of_register(simd, f, *x);
        }
    }
    clear_tail(out, width);
}

/// A function of each number, in place.
#[inline(always)]
pub(crate) fn apply_here<S: Simd>(simd: S, f: Unary, row: &mut [f32], width: usize) {
    if is_scalar(f) {
        row[..width].iter_mut().for_each(|x| *x = of_number(f, *x));
    } else {
        for x in registers_mut::<S>(row) {
            *x = of_register(simd, f, *x);
        }
    }
    clear_tail(row, width);
}

/// One tile of a dense layer: `R` registers of outputs, `K` sums each that are added in the end, because one sum
/// alone would wait for itself. `tile` holds the weights input by input, `x` as many inputs.
#[inline(always)]
pub(crate) fn tile<S: Simd, const R: usize, const K: usize>(
    simd: S,
    tile: &[f32],
    bias: &[f32],
    x: &[f32],
    out: &mut [f32],
) {
    let mut sums = [[simd.splat_f32s(0.0); R]; K];
    for (weights, x) in registers::<S>(tile).chunks_exact(R * K).zip(x.chunks_exact(K)) {
        for k in 0..K {
            let x = simd.splat_f32s(x[k]);
            for r in 0..R {
                sums[k][r] = simd.mul_add_e_f32s(x, weights[k * R + r], sums[k][r]);
            }
        }
    }
    let (bias, out) = (registers::<S>(bias), registers_mut::<S>(out));
    for r in 0..R {
        let mut sum = bias[r];
        for partial in &sums {
            sum = simd.add_f32s(sum, partial[r]);
        }
        out[r] = sum;
    }
}

/// A dense layer of few outputs: one product of rows each, `weights` output by output.
#[inline(always)]
pub(crate) fn dots<S: Simd>(
    simd: S,
    weights: &[f32],
    bias: &[f32],
    x: &[f32],
    out: &mut [f32],
    width: usize,
) {
    let rows = weights.chunks_exact(x.len());
    for ((out, weights), bias) in out.iter_mut().zip(rows).zip(&bias[..width]) {
        let mut total = all(simd, 0.0);
        for (w, x) in registers::<S>(weights).iter().zip(registers::<S>(x)) {
            total = simd.mul_add_e_f32s(*w, *x, total);
        }
        *out = bias + simd.reduce_sum_f32s(total);
    }
    clear_tail(out, width);
}

/// True when all numbers are finite.
#[inline(always)]
pub(crate) fn is_finite<S: Simd>(simd: S, row: &[f32]) -> bool {
    // x - x is 0 for what is finite and NaN for what is not.
    let mut sum = all(simd, 0.0);
    for x in registers::<S>(row) {
        sum = simd.add_f32s(sum, simd.sub_f32s(*x, *x));
    }
    simd.reduce_sum_f32s(sum) == 0.0
}

/// `(x - sub) * mul + add`, each step rounded as the runtimes do: trees may compare the result with a threshold.
#[inline(always)]
pub(crate) fn scale<S: Simd>(simd: S, [sub, mul, add]: [&[f32]; 3], x: &[f32], out: &mut [f32]) {
    let constants = registers::<S>(sub).iter().zip(registers::<S>(mul)).zip(registers::<S>(add));
    for ((out, x), ((sub, mul), add)) in
        registers_mut::<S>(out).iter_mut().zip(registers::<S>(x)).zip(constants)
    {
        *out = simd.add_f32s(simd.mul_f32s(simd.sub_f32s(*x, *sub), *mul), *add);
    }
}

/// Two rows number by number; a row of one number is repeated.
#[inline(always)]
pub(crate) fn combine<S: Simd>(
    simd: S,
    f: Binary,
    [a, b]: [(&[f32], bool); 2],
    out: &mut [f32],
    width: usize,
) {
    let (single_a, single_b) = (simd.splat_f32s(a.0[0]), simd.splat_f32s(b.0[0]));
    let (rows_a, rows_b) = (registers::<S>(a.0), registers::<S>(b.0));
    for (i, out) in registers_mut::<S>(out).iter_mut().enumerate() {
        let x = if a.1 { single_a } else { rows_a[i] };
        let y = if b.1 { single_b } else { rows_b[i] };
        *out = match f {
            Binary::Add => simd.add_f32s(x, y),
            Binary::Sub => simd.sub_f32s(x, y),
            Binary::Mul => simd.mul_f32s(x, y),
            Binary::Div => simd.div_f32s(x, y),
        };
    }
    clear_tail(out, width);
}

/// The sum of a row's numbers, of what a function makes of them.
#[inline(always)]
fn sum<S: Simd>(simd: S, row: &[f32], f: Option<Unary>) -> f32 {
    let mut total = all(simd, 0.0);
    for x in registers::<S>(row) {
        let x = match f {
            Some(f) => of_register(simd, f, *x),
            None => *x,
        };
        total = simd.add_f32s(total, x);
    }
    simd.reduce_sum_f32s(total)
}

/// The sum or mean of a row.
#[inline(always)]
pub(crate) fn reduce<S: Simd>(simd: S, f: Reduction, x: &[f32], width: usize) -> f32 {
    let total = sum(simd, x, None);
    match f {
        Reduction::Sum => total,
        Reduction::Mean => total / width as f32,
    }
}

/// Mean 0, variance 1, then scaled and shifted.
#[inline(always)]
pub(crate) fn layer_norm<S: Simd>(
    simd: S,
    epsilon: f32,
    [scale, shift]: [&[f32]; 2],
    x: &[f32],
    out: &mut [f32],
    width: usize,
) {
    let mean = simd.splat_f32s(reduce(simd, Reduction::Mean, x, width));
    for (out, x) in registers_mut::<S>(out).iter_mut().zip(registers::<S>(x)) {
        *out = simd.sub_f32s(*x, mean);
    }
    clear_tail(out, width);
    let variance = sum(simd, out, Some(Unary::Square)) / width as f32;
    let by = simd.splat_f32s(1.0 / (variance + epsilon).sqrt());
    for ((out, scale), shift) in
        registers_mut::<S>(out).iter_mut().zip(registers::<S>(scale)).zip(registers::<S>(shift))
    {
        *out = simd.mul_add_e_f32s(simd.mul_f32s(*out, by), *scale, *shift);
    }
}

/// exp of a single number, as [`exp`] but without its registers.
#[inline(always)]
fn exp_of_number<S: Simd>(x: f32) -> f32 {
    let x = x.clamp(-87.0, 88.0);
    let rounded = fused::<S>(x, std::f32::consts::LOG2_E, 12_582_912.0);
    let n = rounded - 12_582_912.0;
    let r = fused::<S>(n, 2.121_944_4e-4, fused::<S>(n, -0.693_359_4, x));
    let mut p = 1.987_569_1e-4;
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = fused::<S>(p, r, c);
    }
    let power = (rounded.to_bits() << 23).wrapping_add(127 << 23);
    (fused::<S>(r * r, p, r) + 1.0) * f32::from_bits(power)
}

/// `a * b + c`, in one step where the machine has it.
#[inline(always)]
fn fused<S: Simd>(a: f32, b: f32, c: f32) -> f32 {
    if S::IS_SCALAR { a * b + c } else { a.mul_add(b, c) }
}

/// Softmax of at most four numbers, the shape of every answer: a register's worth of them would wait for its own
/// lanes twice, and for the stores before it once.
#[inline(always)]
fn softmax_of_few<S: Simd>(x: &[f32], out: &mut [f32], width: usize) {
    let mut few = [f32::NEG_INFINITY; FEW];
    for i in 0..FEW {
        few[i] = if i < width { x[i] } else { f32::NEG_INFINITY };
    }
    let most = few[0].max(few[1]).max(few[2].max(few[3]));
    for (i, x) in few.iter_mut().enumerate() {
        *x = if i < width { exp_of_number::<S>(*x - most) } else { 0.0 };
    }
    let by = 1.0 / ((few[0] + few[1]) + (few[2] + few[3]));
    for i in 0..FEW {
        out[i] = few[i] * by;
    }
}

/// Numbers that [`softmax_of_few`] takes.
const FEW: usize = 4;

/// exp(x - max) over its sum, or the logarithm of that.
#[inline(always)]
pub(crate) fn softmax<S: Simd>(simd: S, is_log: bool, x: &[f32], out: &mut [f32], width: usize) {
    if width <= FEW && !is_log {
        return softmax_of_few::<S>(x, out, width);
    }
    out.copy_from_slice(x);
    // Behind the end stands what exp makes nothing of.
    out[width..].fill(f32::NEG_INFINITY);
    let most =
        registers::<S>(out).iter().fold(simd.splat_f32s(f32::NEG_INFINITY), |m, x| simd.max_f32s(m, *x));
    let most = simd.splat_f32s(simd.reduce_max_f32s(most));
    let mut total = simd.splat_f32s(0.0);
    for out in registers_mut::<S>(out) {
        let below = simd.sub_f32s(*out, most);
        let raised = exp(simd, below);
        total = simd.add_f32s(total, raised);
        *out = if is_log { below } else { raised };
    }
    let total = simd.reduce_sum_f32s(total);
    if is_log {
        let log = simd.splat_f32s(libm::logf(total));
        for x in registers_mut::<S>(out) {
            *x = simd.sub_f32s(*x, log);
        }
    } else {
        let by = simd.splat_f32s(1.0 / total);
        for x in registers_mut::<S>(out) {
            *x = simd.mul_f32s(*x, by);
        }
    }
    clear_tail(out, width);
}

/// Softmax that leaves zeros at zero. Rare: one number at a time.
pub(crate) fn softmax_zero(x: &[f32], out: &mut [f32], width: usize) {
    let most = x[..width].iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let is_zero = |x: f32| x.abs() <= 1e-7;
    let mut total = 0.0;
    for (out, x) in out[..width].iter_mut().zip(x) {
        *out = if is_zero(*x) { x * libm::expf(-most) } else { libm::expf(x - most) };
        total += if is_zero(*x) { 0.0 } else { *out };
    }
    let by = if total > 0.0 { 1.0 / total } else { 0.0 };
    out[..width].iter_mut().for_each(|x| *x *= by);
    clear_tail(out, width);
}

/// The row over a norm of it.
#[inline(always)]
pub(crate) fn normalize<S: Simd>(simd: S, norm: Norm, x: &[f32], out: &mut [f32], width: usize) {
    let by = match norm {
        Norm::Max => x[..width].iter().copied().fold(f32::NEG_INFINITY, f32::max),
        Norm::L1 => sum(simd, x, Some(Unary::Abs)),
        Norm::L2 => sum(simd, x, Some(Unary::Square)).sqrt(),
    };
    let by = simd.splat_f32s(if by == 0.0 { 1.0 } else { by });
    for (out, x) in registers_mut::<S>(out).iter_mut().zip(registers::<S>(x)) {
        *out = simd.div_f32s(*x, by);
    }
}
