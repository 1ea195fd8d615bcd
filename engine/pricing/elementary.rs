//! Exponential, logarithm and the normal tail as plain arithmetic without branches or tables, so that a loop
//! over them becomes vector code, and the same bits come out on every machine (no fused multiply-add is used:
//! with and without AVX the roundings are the same).
//!
//! Stated accuracy, held by the tests below: [`exp`] and [`ln`] within 1.5 units in the last place,
//! [`mills`] within 4.

/// `ln 2` in two parts: `k * LN2_HIGH` is exact for every exponent `k`.
const LN2_HIGH: f64 = 6.931_471_803_691_238e-1;
const LN2_LOW: f64 = 1.908_214_929_270_587_7e-10;
/// 1.5 * 2^52: adding it leaves the nearest integer in the low bits.
const MAGIC: f64 = 6_755_399_441_055_744.0;
/// `1 / sqrt(2 pi)`.
const DENSITY_AT_ZERO: f64 = 0.398_942_280_401_432_7;

/// `e^x`. Below -708 it is 0; above 709 it is what `e^709` is; NaN stays NaN.
#[inline(always)]
pub(crate) fn exp(x: f64) -> f64 {
    let held = if x < -708.0 { -708.0 } else { x };
    let held = if held > 709.0 { 709.0 } else { held };
    let shifted = held * std::f64::consts::LOG2_E + MAGIC;
    let k = shifted - MAGIC;
    let r = (held - k * LN2_HIGH) - k * LN2_LOW;
    // Minimax on |r| <= ln2/2, relative error 3e-18; pairs are summed apart so that they run side by side.
    let r2 = r * r;
    let r4 = r2 * r2;
    let p01 = 1.666_666_666_666_666_8e-1 + r * 4.166_666_666_648_666e-2;
    let p23 = 8.333_333_333_319_49e-3 + r * 1.388_888_895_269_651_6e-3;
    let p45 = 1.984_126_989_034_066_6e-4 + r * 2.480_148_507_410_511_5e-5;
    let p67 = 2.755_724_060_466_389_6e-6 + r * 2.763_279_054_211_718e-7;
    let high = (p01 + r2 * p23) + r4 * ((p45 + r2 * p67) + r4 * 2.511_015_364_692_893e-8);
    let fraction = 1.0 + (r + (r2 * 0.500_000_000_000_001_9 + r2 * r * high));
    let power = f64::from_bits((shifted.to_bits() << 52).wrapping_add(1023 << 52));
    let value = fraction * power;
    if x < -708.0 { 0.0 } else { value }
}

/// The natural logarithm of a normal number above zero; anything else gives a number without meaning.
#[inline(always)]
pub(crate) fn ln(x: f64) -> f64 {
    /// Bits of `sqrt(1/2)`: mantissas are taken from there to `sqrt 2`, so that 1 lies in the middle.
    const LOWEST: u64 = 0x3fe6_a09e_667f_3bcd;
    /// Bits of 2^52: an integer below it laid over these is that float plus 2^52.
    const LIFT: u64 = 0x4330_0000_0000_0000;
    // Lifted by 2048 so that the shifted exponent is never negative.
    let lifted = x.to_bits().wrapping_sub(LOWEST).wrapping_add(2048 << 52);
    let exponent = lifted >> 52;
    let k = f64::from_bits(exponent | LIFT) - (4_503_599_627_370_496.0 + 2048.0);
    let m = f64::from_bits(x.to_bits().wrapping_sub(exponent.wrapping_sub(2048) << 52));
    // As in fdlibm: s = f / (2 + f), ln(1 + f) = f - f^2/2 + s (f^2/2 + R(s^2)).
    let f = m - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even =
        w * (3.999_999_999_940_942e-1 + w * (2.222_219_843_214_978_4e-1 + w * 1.531_383_769_920_937_3e-1));
    let odd = z
        * (6.666_666_666_666_735e-1
            + w * (2.857_142_874_366_239e-1
                + w * (1.818_357_216_161_805e-1 + w * 1.479_819_860_511_658_6e-1)));
    let half = 0.5 * f * f;
    k * LN2_HIGH - ((half - (s * (half + even + odd) + k * LN2_LOW)) - f)
}

/// Mills' ratio `(1 - N(x)) / n(x)` for `0 <= x <= 39`: the normal tail without its density, so that a tail
/// keeps all its digits. One rational function of degree 9 over 10, fitted here in 60 digits (weighted
/// Sanathanan-Koerner, then Lawson's weights) to 5e-17 relative; all coefficients are positive, so
/// nothing cancels.
#[inline(always)]
pub(crate) fn mills(x: f64) -> f64 {
    let y = x * x;
    let y2 = y * y;
    let even = (1.253_314_137_315_500_1 + y * 1.488_944_879_975_339_8)
        + y2 * ((2.448_608_605_881_201_5e-1 + y * 1.024_808_022_872_120_3e-2)
            + y2 * 9.335_136_569_039_848e-5);
    let odd = (1.942_246_602_242_596_2 + y * 7.251_716_043_791_94e-1)
        + y2 * ((5.920_185_060_938_269e-2 + y * 1.228_957_067_934_533_8e-3)
            + y2 * 3.472_037_591_599_121_3e-6);
    let below_even = (1.0 + y * 2.561_098_493_788_083)
        + y2 * ((7.819_505_055_985_451e-1 + y * 6.042_386_402_821_852_5e-2)
            + y2 * (1.232_429_105_725_789_4e-3 + y * 3.472_037_591_609_453e-6));
    let below_odd = (2.347_573_138_004_046_5 + y * 1.714_239_125_217_380_3)
        + y2 * ((2.549_222_263_525_83e-1 + y * 1.034_143_158_320_536_8e-2) + y2 * 9.335_136_568_825_951e-5);
    (even + x * odd) / (below_even + x * below_odd)
}

/// The normal density.
#[inline(always)]
pub(crate) fn density(x: f64) -> f64 {
    DENSITY_AT_ZERO * exp(-0.5 * x * x)
}

/// The normal distribution function, accurate in both tails.
#[inline(always)]
pub(crate) fn normal(x: f64) -> f64 {
    let size = x.abs();
    let size = if size > 39.0 { 39.0 } else { size };
    let tail = density(size) * mills(size);
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ulps(found: f64, known: f64) -> f64 {
        (found - known).abs() / (known.abs() * f64::EPSILON)
    }

    #[test]
    fn exp_within_one_and_a_half_ulps() {
        let worst = (-700_000..700_000).step_by(13).map(|i| f64::from(i) * 1.000_3e-3);
        let worst = worst.map(|x| ulps(exp(x), libm::exp(x))).fold(0.0, f64::max);
        assert!(worst <= 1.5, "{worst}");
        assert_eq!((exp(0.0), exp(-1e9), exp(f64::NEG_INFINITY)), (1.0, 0.0, 0.0));
        assert!(exp(f64::NAN).is_nan());
        assert!(exp(1e9) > 1e307);
    }

    #[test]
    fn ln_within_one_and_a_half_ulps() {
        for i in 1..200_000 {
            let x = f64::from(i) * 2.345e-5;
            if (x - 1.0).abs() > 1e-12 {
                assert!(ulps(ln(x), libm::log(x)) <= 1.5, "{x}: {} {}", ln(x), libm::log(x));
            }
        }
        assert_eq!(ln(1.0), 0.0);
        for x in [1e-300, 1e-9, 0.999_999_999, 1.000_000_001, 1e9, 1e300] {
            assert!(ulps(ln(x), libm::log(x)) <= 1.5, "{x}");
        }
    }

    #[test]
    fn mills_within_four_ulps() {
        // Sixty-digit values.
        let known = [
            (0.0, 1.253_314_137_315_500_3),
            (0.5, 0.876_364_456_453_692_3),
            (1.0, 0.655_679_542_418_798_5),
            (2.5, 0.354_265_111_329_793_66),
            (7.0, 0.140_104_183_453_050_23),
            (20.0, 0.049_875_925_981_836_79),
            (38.0, 0.026_297_602_974_252_963),
        ];
        for (x, wanted) in known {
            assert!(ulps(mills(x), wanted) <= 4.0, "{x}: {}", mills(x));
        }
    }

    proptest! {
        #[test]
        fn normal_agrees_with_erfc(x in -37.0f64..37.0) {
            let known = 0.5 * libm::erfc(-x * std::f64::consts::FRAC_1_SQRT_2);
            // erfc's argument is rounded, which costs x^2 units in the tail.
            prop_assert!((normal(x) / known - 1.0).abs() < 4e-16 * (4.0 + x * x), "{} {}", normal(x), known);
        }
    }
}
