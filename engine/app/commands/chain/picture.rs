//! The smiles of a chain as a picture: a curve an expiry, and around it the volatilities of bid and ask.

use super::super::structure::source::Scene;
use super::super::structure::words::moment;
use super::slice_of;
use market::Right;
use plotters::prelude::*;
use pricing::chain::Expiry;
use pricing::implied::implied;

const SIZE: (u32, u32) = (1100, 680);
const FONT: &str = "sans-serif";
/// Most expiries drawn: more cannot be told apart.
const CURVES_MAX: usize = 8;
/// Colours that stay apart in print and for most eyes (B. Wong, Points of view: Color blindness).
const COLOURS: [RGBColor; CURVES_MAX] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(90, 90, 90),
    RGBColor(150, 110, 60),
];
const POINTS: u32 = 300;

/// One expiry to be drawn.
struct Smile {
    name: String,
    colour: RGBColor,
    /// Strike and volatility of the fitted curve.
    curve: Vec<(f64, f64)>,
    /// Strike, and volatility of bid and ask.
    quotes: Vec<(f64, f64, f64)>,
}

/// The SVG.
///
/// # Errors
/// When no expiry has a smile, or what the drawing library says.
pub fn draw(scene: &Scene, chosen: &[usize]) -> Result<String, String> {
    let expiries: Vec<&Expiry> = chosen.iter().map(|at| &scene.chain.expiry_terms()[*at]).collect();
    let with_smile: Vec<&Expiry> = expiries.into_iter().filter(|e| slice_of(scene, e).is_some()).collect();
    let step = with_smile.len().div_ceil(CURVES_MAX).max(1);
    let smiles: Vec<Smile> = with_smile
        .iter()
        .step_by(step)
        .zip(COLOURS)
        .filter_map(|(e, colour)| smile(scene, e, colour))
        .collect();
    if smiles.is_empty() {
        return Err("no expiry has a smile: there are too few liquid quotes".into());
    }
    let mut text = String::new();
    fill(&mut text, scene, &smiles).map_err(|e| e.to_string())?;
    Ok(text)
}

fn smile(scene: &Scene, e: &Expiry, colour: RGBColor) -> Option<Smile> {
    let slice = slice_of(scene, e)?;
    let forward = e.terms.forward();
    let quotes: Vec<(f64, f64, f64)> = e.rows().filter_map(|row| sides(scene, e, row)).collect();
    let (low, high) = quotes.iter().fold((f64::MAX, f64::MIN), |(l, h), q| (l.min(q.0), h.max(q.0)));
    let reach = 4.5 * slice.smile.variance(0.0).sqrt();
    let (low, high) = (low.max(forward * (-reach).exp()), high.min(forward * (0.7 * reach).exp()));
    let at = |i: u32| low + (high - low) * f64::from(i) / f64::from(POINTS);
    let curve = (0..=POINTS).map(at).map(|k| (k, 100.0 * slice.vol(k))).collect();
    let days = e.date.days_since(scene.now.new_york().0);
    let quotes = quotes.into_iter().filter(|q| (low..=high).contains(&q.0)).collect();
    Some(Smile { name: format!("{} ({days} days)", e.date), colour, curve, quotes })
}

/// Bid and ask volatility of an out-of-the-money row whose mid has one.
fn sides(scene: &Scene, e: &Expiry, row: usize) -> Option<(f64, f64, f64)> {
    let listed = &scene.chain.listed()[row];
    let (right, strike) = (listed.contract.right, listed.contract.strike().dollars());
    let is_out = (right == Right::Call) == (strike >= e.terms.forward());
    let mid_vol = scene.chain.vol_of(row).ok().filter(|_| is_out)?;
    let quote = listed.quote?.0;
    let (bid, ask) = (quote.bid?.price.dollars(), quote.ask?.price.dollars());
    // Early exercise moves bid and ask volatility alike: the mid's own is the anchor.
    let of = |price: f64| implied(right, &e.terms, strike, price, Some(mid_vol)).ok();
    let off = mid_vol - of(0.5 * (bid + ask))?;
    Some((strike, 100.0 * (of(bid)? + off), 100.0 * (of(ask)? + off)))
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

fn fill(text: &mut String, scene: &Scene, smiles: &[Smile]) -> Drawn {
    let points = || smiles.iter().flat_map(|s| &s.curve);
    let (left, right) = points().fold((f64::MAX, f64::MIN), |(l, h), p| (l.min(p.0), h.max(p.0)));
    let (low, high) = points().fold((f64::MAX, f64::MIN), |(l, h), p| (l.min(p.1), h.max(p.1)));
    let room = 0.06 * (high - low).max(1.0);
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let title = format!("{} smiles, {}", scene.symbol, moment(scene.now));
    let mut chart = ChartBuilder::on(&root)
        .caption(title, (FONT, 22))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(64)
        .build_cartesian_2d(left..right, (low - room).max(0.0)..high + room)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(228, 228, 228))
        .x_desc("strike, dollars")
        .y_desc("volatility, per cent a year")
        .label_style((FONT, 14))
        .axis_desc_style((FONT, 15))
        .draw()?;
    let spot = scene.spot.dollars();
    chart.draw_series(LineSeries::new(
        [(spot, (low - room).max(0.0)), (spot, high + room)],
        RGBColor(160, 160, 160).stroke_width(1),
    ))?;
    for smile in smiles {
        let colour = smile.colour;
        let bars = smile.quotes.iter().map(|(k, bid, ask)| {
            PathElement::new([(*k, *bid), (*k, *ask)], colour.mix(0.45).stroke_width(2))
        });
        chart.draw_series(bars)?;
        chart
            .draw_series(LineSeries::new(smile.curve.iter().copied(), colour.stroke_width(2)))?
            .label(smile.name.clone())
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font((FONT, 14))
        .draw()?;
    root.present()?;
    Ok(())
}
