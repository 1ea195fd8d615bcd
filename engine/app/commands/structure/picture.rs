//! Profit and loss as a picture: now and at (the first) expiry, with breakevens and the spot.

use super::look::Candidate;
use super::source::Scene;
use plotters::prelude::*;
use pricing::structure::value_at;
use strategy::Structure;

const SIZE: (u32, u32) = (960, 600);
const FONT: &str = "sans-serif";
const NOW: RGBColor = RGBColor(120, 120, 120);
const THEN: RGBColor = RGBColor(20, 90, 170);
const TURN: RGBColor = RGBColor(190, 60, 40);
/// Points of a curve.
const POINTS: u32 = 400;

/// The SVG.
///
/// # Errors
/// What the drawing library says.
pub fn draw(structure: &Structure, scene: &Scene, c: &Candidate) -> Result<String, String> {
    let mut text = String::new();
    fill(&mut text, structure, scene, c).map_err(|e| e.to_string())?;
    Ok(text)
}

type Drawn = Result<(), Box<dyn std::error::Error>>;

/// What is drawn: where, and both curves.
struct Frame {
    left: f64,
    right: f64,
    bottom: f64,
    top: f64,
    now: Vec<(f64, f64)>,
    then: Vec<(f64, f64)>,
}

fn frame(spot: f64, c: &Candidate) -> Frame {
    let (left, right) = reach(spot, c);
    let spots = || (0..=POINTS).map(move |i| left + (right - left) * f64::from(i) / f64::from(POINTS));
    let worth = |at: f64| value_at(&c.set, at, 0.0, c.carry.rate, c.carry.dividend_yield) - c.outlook.cost;
    let now: Vec<(f64, f64)> = spots().map(|at| (at, worth(at))).collect();
    let then = with_corners(c, spots(), |at| c.outlook.profile.at(at));
    let all = now.iter().chain(&then).map(|(_, profit)| *profit);
    let (low, high) = all.fold((0.0f64, 0.0f64), |(low, high), y| (low.min(y), high.max(y)));
    let room = 0.08 * (high - low).max(1.0);
    Frame { left, right, bottom: low - room, top: high + room, now, then }
}

fn fill(text: &mut String, structure: &Structure, scene: &Scene, c: &Candidate) -> Drawn {
    let (spot, out) = (scene.spot.dollars(), &c.outlook);
    let frame = frame(spot, c);
    let Frame { left, right, bottom, top, .. } = frame;
    let root = SVGBackend::with_string(text, SIZE).into_drawing_area();
    root.fill(&WHITE)?;
    let title = format!("{} on {}, {} days", structure.name, scene.symbol, c.days);
    let mut chart = ChartBuilder::on(&root)
        .caption(title, (FONT, 22))
        .margin(16)
        .x_label_area_size(48)
        .y_label_area_size(84)
        .build_cartesian_2d(left..right, bottom..top)?;
    chart
        .configure_mesh()
        .light_line_style(WHITE)
        .bold_line_style(RGBColor(228, 228, 228))
        .x_desc(format!("price of {}, dollars", scene.symbol))
        .y_desc("profit of one unit, dollars")
        .x_label_formatter(&|x| format!("{x:.0}"))
        .y_label_formatter(&|y| format!("{y:.0}"))
        .label_style((FONT, 14))
        .axis_desc_style((FONT, 15))
        .draw()?;
    chart.draw_series(LineSeries::new([(left, 0.0), (right, 0.0)], BLACK.stroke_width(1)))?;
    chart.draw_series(LineSeries::new([(spot, bottom), (spot, top)], NOW.mix(0.5).stroke_width(1)))?;
    let several = c.set.iter().filter_map(|l| l.years()).any(|years| years > out.years + 1e-9);
    let ends = if several { "at the first expiry" } else { "at expiry" };
    let rises = frame.then.first().map(|p| p.1) < frame.then.last().map(|p| p.1);
    for (name, color, line) in [("now", NOW, frame.now), (ends, THEN, frame.then)] {
        chart
            .draw_series(LineSeries::new(line, color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], color.stroke_width(2)));
    }
    let turns = out.breakevens.iter().copied().filter(|b| (left..right).contains(b));
    chart.draw_series(turns.map(|at| {
        EmptyElement::at((at, 0.0))
            + Circle::new((0, 0), 4, TURN.filled())
            + Text::new(format!("{at:.2}"), (6, -18), (FONT, 14).into_font().color(&TURN))
    }))?;
    let named = (FONT, 14).into_font().color(&NOW);
    chart.draw_series([Text::new(format!("spot {spot:.2}"), (spot, top), named)])?;
    // Where the curve at expiry is low there is room above it.
    let corner = if rises { SeriesLabelPosition::UpperLeft } else { SeriesLabelPosition::UpperRight };
    chart
        .configure_series_labels()
        .position(corner)
        .background_style(WHITE.mix(0.85))
        .border_style(RGBColor(200, 200, 200))
        .label_font((FONT, 14))
        .draw()?;
    root.present()?;
    Ok(())
}

/// From where to where the spot is drawn: three deviations either way, and every strike and breakeven with room.
fn reach(spot: f64, c: &Candidate) -> (f64, f64) {
    let deviation = c.market.atm_vol * c.outlook.years.sqrt();
    let (mut low, mut high) = (spot * (-3.0 * deviation).exp(), spot * (3.0 * deviation).exp());
    let marks = c.set.iter().filter_map(|l| l.strike()).chain(c.outlook.breakevens.iter().copied());
    for mark in marks.filter(|m| *m > 0.3 * spot && *m < 3.0 * spot) {
        (low, high) = (low.min(0.98 * mark), high.max(1.02 * mark));
    }
    (low, high)
}

/// The curve with its corners exactly at the strikes.
fn with_corners(
    c: &Candidate,
    spots: impl Iterator<Item = f64>,
    then: impl Fn(f64) -> f64,
) -> Vec<(f64, f64)> {
    let mut at: Vec<f64> = spots.collect();
    let (Some(first), Some(last)) = (at.first().copied(), at.last().copied()) else { return Vec::new() };
    at.extend(c.set.iter().filter_map(|l| l.strike()).filter(|k| (first..last).contains(k)));
    at.sort_by(f64::total_cmp);
    at.into_iter().map(|spot| (spot, then(spot))).collect()
}
