//! Plain definitions of every indicator, written over whole series and windows, without a thought for speed: what the
//! incremental ones are held against.

use crate::candle::Candle;

/// A value for every bar.
pub(crate) type Line = Vec<Option<f64>>;

/// The values of an indicator's outputs, and a scale beside them where a ratio is ill-conditioned.
pub(crate) struct Naive {
    pub(crate) outputs: Vec<Line>,
    pub(crate) scale: Option<Line>,
}

fn one(line: Line) -> Naive {
    Naive { outputs: vec![line], scale: None }
}

fn many<const N: usize>(outputs: [Line; N]) -> Naive {
    Naive { outputs: outputs.to_vec(), scale: None }
}

fn of(candles: &[Candle], f: impl Fn(&Candle) -> f64) -> Line {
    candles.iter().map(|c| Some(f(c))).collect()
}

fn source(candles: &[Candle], number: f64) -> Line {
    let pick = |c: &Candle| {
        [c.open, c.high, c.low, c.close, c.volume, (c.high + c.low + c.close) / 3.0, (c.high + c.low) / 2.0]
            .get(number as usize)
            .copied()
            .or(c.second)
    };
    candles.iter().map(pick).collect()
}

fn close(candles: &[Candle]) -> Line {
    of(candles, |c| c.close)
}

/// `f` of every whole window of known values.
fn windows(line: &Line, n: usize, f: impl Fn(&[f64]) -> Option<f64>) -> Line {
    (0..line.len())
        .map(|i| {
            let window: Vec<f64> =
                line[(i + 1).checked_sub(n)?..=i].iter().copied().collect::<Option<_>>()?;
            f(&window)
        })
        .collect()
}

fn zip(a: &Line, b: &Line, f: impl Fn(f64, f64) -> Option<f64>) -> Line {
    a.iter().zip(b).map(|(a, b)| f((*a)?, (*b)?)).collect()
}

fn map(a: &Line, f: impl Fn(f64) -> f64) -> Line {
    a.iter().map(|a| a.map(&f)).collect()
}

/// The line `by` bars later.
fn later(line: &Line, by: usize) -> Line {
    (0..line.len()).map(|i| line[i.checked_sub(by)?]).collect()
}

fn mean(w: &[f64]) -> f64 {
    // From the first value on, so that the level costs no digits.
    w[0] + w.iter().map(|x| x - w[0]).sum::<f64>() / w.len() as f64
}

/// Deviations from the mean, from the window's smallest value on: the level costs no digits.
fn deviations(w: &[f64]) -> Vec<f64> {
    let base = w.iter().copied().min_by(|a, b| a.abs().total_cmp(&b.abs())).expect("not empty");
    let steps: Vec<f64> = w.iter().map(|x| x - base).collect();
    let middle = steps.iter().sum::<f64>() / w.len() as f64;
    steps.iter().map(|x| x - middle).collect()
}

fn squares(w: &[f64]) -> f64 {
    if w.iter().all(|x| *x == w[0]) { 0.0 } else { deviations(w).iter().map(|d| d * d).sum() }
}

fn sma(line: &Line, n: usize) -> Line {
    windows(line, n, |w| Some(w.iter().sum::<f64>() / n as f64))
}

fn highest(line: &Line, n: usize) -> Line {
    windows(line, n, |w| w.iter().copied().reduce(f64::max))
}

fn lowest(line: &Line, n: usize) -> Line {
    windows(line, n, |w| w.iter().copied().reduce(f64::min))
}

fn sums(line: &Line, n: usize) -> Line {
    windows(line, n, |w| Some(w.iter().sum()))
}

/// Averages that begin as the mean of the first `n` known values and go on by `step(old, new)`.
fn recursion(line: &Line, n: usize, step: impl Fn(f64, f64) -> f64) -> Line {
    let mut seed = Vec::new();
    let mut held = None;
    line.iter()
        .map(|x| {
            let x = (*x)?;
            if let Some(old) = held {
                held = Some(step(old, x));
            } else {
                seed.push(x);
                if seed.len() == n {
                    held = Some(seed.iter().sum::<f64>() / n as f64);
                }
            }
            held
        })
        .collect()
}

fn ema(line: &Line, n: usize) -> Line {
    let k = 2.0 / (n as f64 + 1.0);
    recursion(line, n, |old, new| new * k + old * (1.0 - k))
}

fn wilder(line: &Line, n: usize) -> Line {
    let n_real = n as f64;
    recursion(line, n, |old, new| (old * (n_real - 1.0) + new) / n_real)
}

fn wma(line: &Line, n: usize) -> Line {
    let all = (n * (n + 1) / 2) as f64;
    windows(line, n, |w| Some(w.iter().enumerate().map(|(i, x)| (i + 1) as f64 * x).sum::<f64>() / all))
}

fn change(line: &Line, n: usize) -> Line {
    zip(line, &later(line, n), |new, old| Some(new - old))
}

fn ln(a: f64, b: f64) -> f64 {
    let step = (a - b) / b;
    if step.abs() < 0.5 { step.ln_1p() } else { (a / b).ln() }
}

fn log_returns(line: &Line) -> Line {
    zip(line, &later(line, 1), |new, old| Some(ln(new, old)))
}

fn ratio(a: f64, b: f64) -> f64 {
    if b > 0.0 { a / b } else { 0.0 }
}

fn true_range(candles: &[Candle]) -> Line {
    (0..candles.len())
        .map(|i| {
            let (c, last) = (&candles[i], candles.get(i.checked_sub(1)?)?.close);
            Some((c.high - c.low).max((c.high - last).abs()).max((last - c.low).abs()))
        })
        .collect()
}

fn atr(candles: &[Candle], n: usize) -> Line {
    wilder(&true_range(candles), n)
}

/// The plain values of an indicator with these parameters.
pub(crate) fn naive(name: &str, p: &[f64], candles: &[Candle]) -> Naive {
    averages(name, p, candles)
        .or_else(|| oscillators(name, p, candles))
        .or_else(|| trends(name, p, candles))
        .or_else(|| bands(name, p, candles))
        .or_else(|| deviating(name, p, candles))
        .or_else(|| volatilities(name, p, candles))
        .or_else(|| volumes(name, p, candles))
        .or_else(|| sessions(name, candles))
        .unwrap_or_else(|| panic!("write a plain definition of `{name}` in naive_test.rs"))
}

fn averages(name: &str, p: &[f64], candles: &[Candle]) -> Option<Naive> {
    let (c, n) = (close(candles), p.first().map_or(0, |n| *n as usize));
    Some(one(match name {
        "sma" => sma(&c, n),
        "ema" => ema(&c, n),
        "wma" => wma(&c, n),
        "dema" => {
            let first = ema(&c, n);
            zip(&first, &ema(&first, n), |one, two| Some(2.0 * one - two))
        }
        "tema" => {
            let first = ema(&c, n);
            let second = ema(&first, n);
            let third = ema(&second, n);
            let sum = zip(&first, &second, |one, two| Some(3.0 * one - 3.0 * two));
            zip(&sum, &third, |sum, three| Some(sum + three))
        }
        "hull" => {
            let raw = zip(&wma(&c, n / 2), &wma(&c, n), |short, long| Some(2.0 * short - long));
            wma(&raw, (n as f64).sqrt() as usize)
        }
        "kama" => kama(candles, n),
        "ht_trendline" => hilbert(&source(candles, p[0]).into_iter().flatten().collect::<Vec<_>>()),
        "trix" => {
            let third = ema(&ema(&ema(&c, n), n), n);
            zip(&third, &later(&third, 1), |new, old| Some(100.0 * (new - old) / old))
        }
        _ => return None,
    }))
}

fn kama(candles: &[Candle], n: usize) -> Line {
    let c: Vec<f64> = candles.iter().map(|c| c.close).collect();
    let mut held = None;
    (0..c.len())
        .map(|i| {
            let start = i.checked_sub(n)?;
            let path: f64 = c[start..=i].windows(2).map(|w| (w[1] - w[0]).abs()).sum();
            let way = c[i] - c[start];
            let efficiency = if path <= way || path == 0.0 { 1.0 } else { (way / path).abs() };
            let factor = (efficiency * (2.0 / 3.0 - 2.0 / 31.0) + 2.0 / 31.0).powi(2);
            let old: f64 = held.unwrap_or(c[i - 1]);
            held = Some(old + factor * (c[i] - old));
            held
        })
        .collect()
}

fn hilbert(x: &[f64]) -> Line {
    let n = x.len();
    let at = |line: &[f64], i: usize, ago: usize| i.checked_sub(ago).map_or(0.0, |i| line[i]);
    let zeros = vec![0.0; n];
    let (mut smooth, mut detrended, mut q1, mut i1) =
        (zeros.clone(), zeros.clone(), zeros.clone(), zeros.clone());
    let (mut means, mut out) = (zeros.clone(), vec![None; n]);
    let (mut i2, mut q2, mut re, mut im, mut period, mut shown) = (0.0, 0.0, 0.0, 0.0, 0.0f64, 0.0);
    for i in 37..n {
        smooth[i] = (4.0 * x[i] + 3.0 * x[i - 1] + 2.0 * x[i - 2] + x[i - 3]) / 10.0;
        let scale = 0.075 * period + 0.54;
        let turn = |line: &[f64]| {
            (0.0962 * line[i] + 0.5769 * at(line, i, 2) - 0.5769 * at(line, i, 4) - 0.0962 * at(line, i, 6))
                * scale
        };
        detrended[i] = turn(&smooth);
        q1[i] = turn(&detrended);
        i1[i] = at(&detrended, i, 3);
        let (ji, jq) = (turn(&i1), turn(&q1));
        let (new_i2, new_q2) = (0.2 * (i1[i] - jq) + 0.8 * i2, 0.2 * (q1[i] + ji) + 0.8 * q2);
        re = 0.2 * (new_i2 * i2 + new_q2 * q2) + 0.8 * re;
        im = 0.2 * (new_i2 * q2 - new_q2 * i2) + 0.8 * im;
        (i2, q2) = (new_i2, new_q2);
        let measured = if im != 0.0 && re != 0.0 { std::f64::consts::TAU / (im / re).atan() } else { period };
        let bounded = measured.min(1.5 * period).max(0.67 * period).clamp(6.0, 50.0);
        period = 0.2 * bounded + 0.8 * period;
        shown = 0.33 * period + 0.67 * shown;
        let count = (shown + 0.5) as usize;
        means[i] = if count == 0 { 0.0 } else { x[i + 1 - count..=i].iter().sum::<f64>() / count as f64 };
        if i >= 63 {
            out[i] = Some((4.0 * means[i] + 3.0 * means[i - 1] + 2.0 * means[i - 2] + means[i - 3]) / 10.0);
        }
    }
    out
}

fn strength(candles: &[Candle], n: usize) -> (Line, Line) {
    let change = change(&close(candles), 1);
    (wilder(&map(&change, |x| x.max(0.0)), n), wilder(&map(&change, |x| (-x).max(0.0)), n))
}

fn rsi(candles: &[Candle], n: usize) -> Line {
    let (gain, loss) = strength(candles, n);
    zip(&gain, &loss, |gain, loss| Some(100.0 * ratio(gain, gain + loss)))
}

fn position(candles: &[Candle], n: usize) -> Line {
    let (high, low) = (highest(&of(candles, |c| c.high), n), lowest(&of(candles, |c| c.low), n));
    (0..candles.len()).map(|i| Some(100.0 * ratio(candles[i].close - low[i]?, high[i]? - low[i]?))).collect()
}

fn oscillators(name: &str, p: &[f64], candles: &[Candle]) -> Option<Naive> {
    let n: Vec<usize> = p.iter().map(|x| *x as usize).collect();
    let c = close(candles);
    let held_back = |k: Line, d: Line| {
        let k = zip(&k, &d, |k, _| Some(k));
        many([k, d])
    };
    Some(match name {
        "rsi" => one(rsi(candles, n[0])),
        "cmo" => {
            let (gain, loss) = strength(candles, n[0]);
            one(zip(&gain, &loss, |gain, loss| Some(100.0 * ratio(gain - loss, gain + loss))))
        }
        "roc" => one(zip(&c, &later(&c, n[0]), |new, old| Some(100.0 * (new - old) / old))),
        "mom" => one(change(&c, n[0])),
        "macd" => macd(&c, &n),
        "ppo" => {
            let average = |n| if p[2] == 1.0 { ema(&c, n) } else { sma(&c, n) };
            one(zip(&average(n[0]), &average(n[1]), |fast, slow| Some(100.0 * (fast - slow) / slow)))
        }
        "stoch" => {
            let k = sma(&position(candles, n[0]), n[1]);
            let d = sma(&k, n[2]);
            held_back(k, d)
        }
        "stochf" => {
            let k = position(candles, n[0]);
            let d = sma(&k, n[1]);
            held_back(k, d)
        }
        "stochrsi" => stoch_rsi(candles, &n),
        "willr" => one(map(&position(candles, n[0]), |k| k - 100.0)).flat_at_zero(candles, n[0]),
        "ultosc" => one(ultimate(candles, &n)),
        "cci" => one(windows(&of(candles, Candle::typical), n[0], |w| {
            let away = deviations(w);
            let (last, price) = (away[away.len() - 1], w[w.len() - 1]);
            let distance = away.iter().map(|d| d.abs()).sum::<f64>() / w.len() as f64;
            Some(if last.abs() <= 1e-14 * price || distance == 0.0 { 0.0 } else { last / (0.015 * distance) })
        })),
        _ => return None,
    })
}

impl Naive {
    /// %R is 0 where there is no range, not -100.
    fn flat_at_zero(mut self, candles: &[Candle], n: usize) -> Self {
        let (high, low) = (highest(&of(candles, |c| c.high), n), lowest(&of(candles, |c| c.low), n));
        for (i, value) in self.outputs[0].iter_mut().enumerate() {
            if high[i] == low[i] {
                *value = value.map(|_| 0.0);
            }
        }
        self
    }
}

fn macd(c: &Line, n: &[usize]) -> Naive {
    let late: Line = c.iter().enumerate().map(|(i, x)| if i < n[1] - n[0] { None } else { *x }).collect();
    let line = zip(&ema(&late, n[0]), &ema(c, n[1]), |fast, slow| Some(fast - slow));
    let signal = ema(&line, n[2]);
    let line = zip(&line, &signal, |line, _| Some(line));
    let histogram = zip(&line, &signal, |line, signal| Some(line - signal));
    many([line, signal, histogram])
}

fn stoch_rsi(candles: &[Candle], n: &[usize]) -> Naive {
    let rsi = rsi(candles, n[0]);
    let k = windows(&rsi, n[1], |w| {
        let (high, low) = (w.iter().copied().fold(0.0, f64::max), w.iter().copied().fold(100.0, f64::min));
        Some(if high - low > 1e-10 { 100.0 * (w[w.len() - 1] - low) / (high - low) } else { 0.0 })
    });
    // A narrow range magnifies the rounding of the index itself, in any bar %D averages.
    let narrow = windows(&rsi, n[1], |w| {
        let (high, low) = (w.iter().copied().fold(0.0, f64::max), w.iter().copied().fold(100.0, f64::min));
        Some(100.0 * 100.0 / (high - low).max(1e-10))
    });
    let d = sma(&k, n[2]);
    let k = zip(&k, &d, |k, _| Some(k));
    Naive { outputs: vec![k, d], scale: Some(highest(&narrow, n[2])) }
}

fn ultimate(candles: &[Candle], n: &[usize]) -> Line {
    let last = later(&close(candles), 1);
    let parts = |f: fn(&Candle, f64) -> f64| -> Line {
        candles.iter().zip(&last).map(|(c, last)| Some(f(c, (*last)?))).collect()
    };
    let pressure = parts(|c, last| c.close - c.low.min(last));
    let range = parts(|c, last| c.high.max(last) - c.low.min(last));
    let share = |n| zip(&sums(&pressure, n), &sums(&range, n), |a, b| Some(ratio(a, b)));
    let (short, middle, long) = (share(n[0]), share(n[1]), share(n[2]));
    let two = zip(&short, &middle, |a, b| Some(4.0 * a + 2.0 * b));
    zip(&two, &long, |two, long| Some((two + long) / 7.0 * 100.0))
}

fn trends(name: &str, p: &[f64], candles: &[Candle]) -> Option<Naive> {
    let n = p.first().map_or(0, |n| *n as usize);
    let ago = |line: Line| {
        windows(&line, n + 1, |w| {
            let highest = w.iter().copied().fold(f64::MIN, f64::max);
            let ago = w.iter().rev().position(|x| *x == highest)?;
            Some(100.0 * (n - ago) as f64 / n as f64)
        })
    };
    let line = |w: &[f64]| {
        let (n, away) = (w.len() as f64, deviations(w));
        let spread: f64 = (0..w.len()).map(|i| (i as f64 - (n - 1.0) / 2.0).powi(2)).sum();
        let product: f64 = away.iter().enumerate().map(|(i, d)| (i as f64 - (n - 1.0) / 2.0) * d).sum();
        (product / spread, ratio(product * product, spread * squares(w)).min(1.0))
    };
    Some(match name {
        "trange" => one(true_range(candles)),
        "atr" => one(atr(candles, n)),
        "natr" => one(zip(&atr(candles, n), &close(candles), |atr, close| Some(100.0 * atr / close))),
        "adx" => directional(candles, n),
        "aroon" => many([ago(of(candles, |c| -c.low)), ago(of(candles, |c| c.high))]),
        "sar" => one(parabola(candles, p[0].min(p[1]), p[1])),
        "supertrend" => supertrend(candles, n, p[1]),
        "linearreg_slope" => one(windows(&close(candles), n, |w| Some(line(w).0))),
        "linearreg_r2" => one(windows(&close(candles), n, |w| Some(line(w).1))),
        _ => return None,
    })
}

fn directional(candles: &[Candle], n: usize) -> Naive {
    let moves = |f: fn(f64, f64) -> f64| -> Line {
        let pairs = candles.windows(2).map(|w| Some(f(w[1].high - w[0].high, w[0].low - w[1].low)));
        std::iter::once(None).chain(pairs).collect()
    };
    let plus = moves(|up, down| if up > down && up > 0.0 { up } else { 0.0 });
    let minus = moves(|up, down| if down > up && down > 0.0 { down } else { 0.0 });
    let smooth = |line: &Line| -> Line {
        let mut sum = 0.0;
        let mut seen = 0;
        line.iter()
            .map(|x| {
                seen += 1;
                let x = (*x)?;
                sum = if seen <= n { sum + x } else { sum - sum / n as f64 + x };
                (seen > n).then_some(sum)
            })
            .collect()
    };
    let range = smooth(&true_range(candles));
    let share = |line: &Line| zip(&smooth(line), &range, |a, b| Some(100.0 * ratio(a, b)));
    let (plus, minus) = (share(&plus), share(&minus));
    let (mut adx, mut seed) = (None, Vec::new());
    let average = plus
        .iter()
        .zip(&minus)
        .map(|(plus, minus)| {
            let (plus, minus) = ((*plus)?, (*minus)?);
            let dx = 100.0 * ratio((plus - minus).abs(), plus + minus);
            match adx {
                // Nothing moved: the average stays.
                Some(_) if plus + minus == 0.0 => {}
                Some(old) => adx = Some((old * (n as f64 - 1.0) + dx) / n as f64),
                None => {
                    seed.push(dx);
                    adx = (seed.len() == n).then(|| seed.iter().sum::<f64>() / n as f64);
                }
            }
            adx
        })
        .collect();
    many([plus, minus, average])
}

fn parabola(candles: &[Candle], step: f64, most: f64) -> Line {
    let mut out = vec![None; candles.len()];
    if candles.len() < 2 {
        return out;
    }
    let (first, second) = (&candles[0], &candles[1]);
    let down = first.low - second.low;
    let mut long = !(down > 0.0 && down > second.high - first.high);
    let (mut stop, mut extreme) = if long { (first.low, second.high) } else { (first.high, second.low) };
    let mut speed = step;
    for i in 1..candles.len() {
        let (c, before) = (&candles[i], &candles[if i == 1 { 1 } else { i - 1 }]);
        let (floor, roof) = (c.low.min(before.low), c.high.max(before.high));
        if (long && c.low <= stop) || (!long && c.high >= stop) {
            long = !long;
            stop = if long { extreme.min(floor) } else { extreme.max(roof) };
            extreme = if long { c.high } else { c.low };
            speed = step;
            out[i] = Some(stop);
        } else {
            out[i] = Some(stop);
            let best = if long { extreme.max(c.high) } else { extreme.min(c.low) };
            if best != extreme {
                extreme = best;
                speed = (speed + step).min(most);
            }
        }
        stop += speed * (extreme - stop);
        stop = if long { stop.min(floor) } else { stop.max(roof) };
    }
    out
}

fn supertrend(candles: &[Candle], n: usize, reach: f64) -> Naive {
    let atr = atr(candles, n);
    let none: Line = vec![None; candles.len()];
    let [mut line, mut way, mut upper, mut lower] = [none.clone(), none.clone(), none.clone(), none];
    let mut direction = 1.0;
    for (i, c) in candles.iter().enumerate() {
        let Some(atr) = atr[i] else { continue };
        let middle = (c.high + c.low) / 2.0;
        let (mut up, mut down) = (middle + reach * atr, middle - reach * atr);
        if let (Some(last_up), Some(last_down)) = (upper[i - 1], lower[i - 1]) {
            let last = candles[i - 1].close;
            up = if up < last_up || last > last_up { up } else { last_up };
            down = if down > last_down || last < last_down { down } else { last_down };
        }
        if c.close > up {
            direction = 1.0;
        } else if c.close < down {
            direction = -1.0;
        }
        (upper[i], lower[i], way[i]) = (Some(up), Some(down), Some(direction));
        line[i] = Some(if direction > 0.0 { down } else { up });
    }
    many([line, way, upper, lower])
}

fn bands(name: &str, p: &[f64], candles: &[Candle]) -> Option<Naive> {
    let n = p.first().map_or(0, |n| *n as usize);
    let c = close(candles);
    let deviation = |w: &[f64]| (squares(w) / n as f64).sqrt();
    let middles = |n: usize| {
        let (high, low) = (highest(&of(candles, |c| c.high), n), lowest(&of(candles, |c| c.low), n));
        let middle = zip(&high, &low, |high, low| Some((high + low) / 2.0));
        (high, middle, low)
    };
    Some(match name {
        "bollinger" => many([
            windows(&c, n, |w| Some(mean(w) + p[1] * deviation(w))),
            windows(&c, n, |w| Some(mean(w))),
            windows(&c, n, |w| Some(mean(w) - p[2] * deviation(w))),
        ]),
        "percent_b" => one(windows(&c, n, |w| {
            let (away, deviation) = (deviations(w)[n - 1], deviation(w));
            (deviation > 0.0).then(|| (away + p[1] * deviation) / (2.0 * p[1] * deviation))
        })),
        "band_width" => one(windows(&c, n, |w| Some(2.0 * p[1] * deviation(w) / mean(w)))),
        "donchian" => {
            let (high, middle, low) = middles(n);
            many([high, middle, low])
        }
        "keltner" => {
            let (middle, atr) = (ema(&source(candles, p[3]), n), atr(candles, p[1] as usize));
            let band = |side: f64| zip(&middle, &atr, |middle, atr| Some(middle + side * p[2] * atr));
            let both = zip(&middle, &atr, |middle, _| Some(middle));
            many([band(1.0), both, band(-1.0)])
        }
        "ichimoku" => {
            let [tenkan, kijun, slow] = [p[0], p[1], p[2]].map(|n| middles(n as usize).1);
            let span_a = zip(&tenkan, &kijun, |t, k| Some((t + k) / 2.0));
            let shift = p[3] as usize;
            let shown = (later(&span_a, shift), later(&slow, shift));
            many([tenkan, kijun, span_a, slow, shown.0, shown.1])
        }
        _ => return None,
    })
}

fn deviating(name: &str, p: &[f64], candles: &[Candle]) -> Option<Naive> {
    let n = p.first().map_or(0, |n| *n as usize);
    let c = close(candles);
    let together = |a: &Line, b: &Line, f: fn(f64, f64, f64) -> f64| -> Line {
        (0..a.len())
            .map(|i| {
                let start = (i + 1).checked_sub(n)?;
                let a: Vec<f64> = a[start..=i].iter().copied().collect::<Option<_>>()?;
                let b: Vec<f64> = b[start..=i].iter().copied().collect::<Option<_>>()?;
                let product = deviations(&a).iter().zip(deviations(&b)).map(|(a, b)| a * b).sum();
                Some(f(squares(&a), squares(&b), product))
            })
            .collect()
    };
    Some(match name {
        "stddev" => one(windows(&c, n, |w| Some(p[1] * (squares(w) / n as f64).sqrt()))),
        "var" => one(windows(&c, n, |w| Some(squares(w) / n as f64))),
        "zscore" => one(windows(&c, n, |w| {
            let deviation = (squares(w) / (n as f64 - p[1])).sqrt();
            (deviation > 0.0).then(|| deviations(w)[n - 1] / deviation)
        })),
        "correl" => one(together(&source(candles, p[1]), &source(candles, p[2]), |aa, bb, ab| {
            ratio(ab, aa.sqrt() * bb.sqrt()).clamp(-1.0, 1.0)
        })),
        "beta" => {
            let returns = |line: Line| zip(&line, &later(&line, 1), |new, old| Some((new - old) / old));
            let (a, b) = (returns(source(candles, p[1])), returns(source(candles, p[2])));
            let scale = together(&a, &b, |aa, bb, _| ratio(bb, aa).sqrt());
            Naive { outputs: vec![together(&a, &b, |aa, _, ab| ratio(ab, aa))], scale: Some(scale) }
        }
        "volume_score" => one(windows(&of(candles, |c| c.volume), n, |w| {
            let deviation = (squares(w) / n as f64).sqrt();
            (deviation > 0.0).then(|| deviations(w)[n - 1] / deviation)
        })),
        "variance_ratio" => one(variance_ratio(&c, n, p[1] as usize)),
        _ => return None,
    })
}

fn variance_ratio(c: &Line, n: usize, q: usize) -> Line {
    windows(c, n + 1, |w| {
        let singles: Vec<f64> = w.windows(2).map(|w| ln(w[1], w[0])).collect();
        let mean = ln(w[n], w[0]) / n as f64;
        let short = squares(&singles) / (n as f64 - 1.0);
        let long: f64 = (q..=n).map(|t| (ln(w[t], w[t - q]) - q as f64 * mean).powi(2)).sum();
        let (n, q) = (n as f64, q as f64);
        (short > 0.0).then(|| long / (q * (n - q + 1.0) * (1.0 - q / n)) / short)
    })
}

fn volatilities(name: &str, p: &[f64], candles: &[Candle]) -> Option<Naive> {
    let n = p.first().map_or(0, |n| *n as usize);
    let annual = |line: Line, year: f64| one(map(&line, |variance| (variance.max(0.0) * year).sqrt()));
    let mean_of = |f: fn(&Candle) -> f64| sma(&of(candles, f), n);
    let satchell =
        |c: &Candle| ln(c.high, c.close) * ln(c.high, c.open) + ln(c.low, c.close) * ln(c.low, c.open);
    let weighted = |line: Line| {
        let mut held: Option<f64> = None;
        let step = |x: Option<f64>| {
            let x = x?;
            held = Some(held.map_or(x, |old| p[0] * old + (1.0 - p[0]) * x));
            held
        };
        line.into_iter().map(step).collect::<Line>()
    };
    let sample = |line: &Line| windows(line, n, |w| Some(squares(w) / (n as f64 - 1.0)));
    Some(match name {
        "rv_close" => annual(sample(&log_returns(&close(candles))), p[1]),
        "rv_parkinson" => annual(mean_of(|c| ln(c.high, c.low).powi(2) / (4.0 * 2f64.ln())), p[1]),
        "rv_garman_klass" => {
            let term = |c: &Candle| {
                0.5 * ln(c.high, c.low).powi(2) - (2.0 * 2f64.ln() - 1.0) * ln(c.close, c.open).powi(2)
            };
            annual(mean_of(term), p[1])
        }
        "rv_rogers_satchell" => annual(sma(&of(candles, satchell), n), p[1]),
        "rv_yang_zhang" => {
            let last = later(&close(candles), 1);
            let night = zip(&of(candles, |c| c.open), &last, |open, last| Some(ln(open, last)));
            let day = zip(&of(candles, |c| ln(c.close, c.open)), &last, |day, _| Some(day));
            let range = sma(&zip(&of(candles, satchell), &last, |range, _| Some(range)), n);
            let n = n as f64;
            let k = 0.34 / (1.34 + (n + 1.0) / (n - 1.0));
            let mixed = zip(&sample(&day), &range, |day, range| Some(k * day + (1.0 - k) * range));
            annual(zip(&sample(&night), &mixed, |night, mixed| Some(night + mixed)), p[1])
        }
        "rv_ewma" => annual(weighted(map(&log_returns(&close(candles)), |r| r * r)), p[1]),
        "ewma_correl" => {
            let (a, b) = (log_returns(&source(candles, p[1])), log_returns(&source(candles, p[2])));
            let products = |a: &Line, b: &Line| weighted(zip(a, b, |a, b| Some(a * b)));
            let root = zip(&products(&a, &a), &products(&b, &b), |a, b| Some(a.sqrt() * b.sqrt()));
            one(zip(&products(&a, &b), &root, |ab, root| (root > 0.0).then(|| (ab / root).clamp(-1.0, 1.0))))
        }
        _ => return None,
    })
}

fn volumes(name: &str, p: &[f64], candles: &[Candle]) -> Option<Naive> {
    let n = p.first().map_or(0, |n| *n as usize);
    let volume = of(candles, |c| c.volume);
    let total =
        |line: Line| -> Line { (0..line.len()).map(|i| Some(line[..=i].iter().flatten().sum())).collect() };
    let flow = |c: &Candle| ratio(2.0 * c.close - c.low - c.high, c.high - c.low) * c.volume;
    let sign = |i: usize| {
        let (now, last) = (candles[i].close, candles[i - 1].close);
        if now > last {
            1.0
        } else if now < last {
            -1.0
        } else {
            0.0
        }
    };
    let signed: Line = (0..candles.len()).map(|i| (i > 0).then(|| sign(i) * candles[i].volume)).collect();
    Some(match name {
        "obv" => {
            let mut steps = signed;
            if let Some(first) = steps.first_mut() {
                *first = Some(candles[0].volume);
            }
            one(total(steps))
        }
        "ad" => one(total(of(candles, flow))),
        "adosc" => {
            let ad = total(of(candles, flow));
            let from_first = |n: f64| {
                let k = 2.0 / (n + 1.0);
                recursion(&ad, 1, |old, new| new * k + old * (1.0 - k))
            };
            let line = zip(&from_first(p[0]), &from_first(p[1]), |fast, slow| Some(fast - slow));
            let first = p[0].max(p[1]) as usize - 1;
            one(line.iter().enumerate().map(|(i, x)| x.filter(|_| i >= first)).collect())
        }
        "mfi" => {
            let flows = |way: f64| -> Line {
                let side = |i: usize| {
                    let (now, last) = (candles[i].typical(), candles.get(i.checked_sub(1)?)?.typical());
                    let is_same = (now - last).abs() <= 1e-14 * (now + last);
                    Some(if !is_same && (now - last) * way > 0.0 { now * candles[i].volume } else { 0.0 })
                };
                sums(&(0..candles.len()).map(side).collect(), n)
            };
            one(zip(&flows(1.0), &flows(-1.0), |up, down| Some(100.0 * ratio(up, up + down))))
        }
        "signed_volume" => {
            let all = sums(
                &later(&volume, 0).into_iter().enumerate().map(|(i, v)| v.filter(|_| i > 0)).collect(),
                n,
            );
            one(zip(&sums(&signed, n), &all, |signed, all| (all > 0.0).then(|| signed / all)))
        }
        "volume_profile_ratio" => {
            let balance = |i: usize| {
                let window = &candles[(i + 1).checked_sub(n)?..=i];
                let side = |f: fn(f64, f64) -> bool| -> f64 {
                    window.iter().filter(|c| f(c.typical(), candles[i].close)).map(|c| c.volume).sum()
                };
                let all: f64 = window.iter().map(|c| c.volume).sum();
                (all > 0.0)
                    .then(|| (side(|price, close| price < close) - side(|price, close| price > close)) / all)
            };
            one((0..candles.len()).map(balance).collect())
        }
        _ => return None,
    })
}

fn sessions(name: &str, candles: &[Candle]) -> Option<Naive> {
    let start = |i: usize| (0..=i).rev().take_while(|j| candles[*j].session == candles[i].session).last();
    let so_far = |i: usize| &candles[start(i).unwrap_or(i)..=i];
    let per_bar = |f: &dyn Fn(usize) -> Option<f64>| -> Line { (0..candles.len()).map(f).collect() };
    Some(match name {
        "vwap" => one(per_bar(&|i| {
            let volume: f64 = so_far(i).iter().map(|c| c.volume).sum();
            (volume > 0.0).then(|| so_far(i).iter().map(|c| c.turnover).sum::<f64>() / volume)
        })),
        "session_range" => {
            let high = |i: usize| so_far(i).iter().map(|c| c.high).fold(f64::MIN, f64::max);
            let low = |i: usize| so_far(i).iter().map(|c| c.low).fold(f64::MAX, f64::min);
            let place = |i: usize| {
                let range = high(i) - low(i);
                if range > 0.0 { (candles[i].close - low(i)) / range } else { 0.5 }
            };
            many([per_bar(&|i| Some(high(i))), per_bar(&|i| Some(low(i))), per_bar(&|i| Some(place(i)))])
        }
        "gap" => {
            let ends = |i: usize| Some((candles[start(i)?.checked_sub(1)?].close, candles[start(i)?].open));
            let dollars = |i: usize| ends(i).map(|(before, first)| first - before);
            let percent = |i: usize| ends(i).map(|(before, first)| 100.0 * (first - before) / before);
            many([per_bar(&dollars), per_bar(&percent)])
        }
        _ => return None,
    })
}
