//! The report as one HTML page that needs nothing else: folds, calibration curves, features, baselines.

use indicators::features::NAMES;
use plotters::prelude::*;
use std::fmt::Write;
use training::TimeframeReport;
use training::explain::Bin;
use training::report::TestReport;
use training::skill::Skill;

/// Features named in a table; the rest matters less.
const FEATURES_SHOWN: usize = 12;
const CLASSES: [&str; 3] = ["down", "flat", "up"];
const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;max-width:62rem;margin:2rem auto;padding:0 1rem;color:#222}\
    table{border-collapse:collapse;margin:.5rem 0 1rem}td,th{padding:.15rem .7rem;text-align:right;border-bottom:1px solid #ddd}\
    td:first-child,th:first-child{text-align:left}h2{margin-top:2.5rem}.pictures{display:flex;gap:.5rem;flex-wrap:wrap}\
    .yes{color:#06702d}.no{color:#a33}small{color:#666}";

/// The page.
///
/// # Errors
/// When a picture cannot be drawn.
pub fn page(report: &training::Report, source: &str) -> anyhow::Result<String> {
    let mut page = String::new();
    write!(
        page,
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>wingspread train</title>\
         <style>{STYLE}</style></head><body>\n<h1>What was trained and what it is worth</h1>\n<p>{}</p>\n\
         <p>Brier skill is one less the Brier score over that of the base rates; its interval (95&nbsp;%) comes from \
         resampling blocks of time. The test is the newest stretch, which nothing was chosen by.</p>\n",
        escaped(source)
    )?;
    page.push_str(&summary(report));
    for model in &report.models {
        write!(page, "<h2>{}</h2>\n{}", model.timeframe, head(model))?;
        page.push_str(&folds(model));
        page.push_str(&candidates(model));
        if let Some(test) = &model.test {
            page.push_str(&baselines(model, test));
            page.push_str(
                "<h3>Calibration on the test</h3><p>Said across, happened up; hollow as the model says it, \
                           filled as calibrated.</p><div class=\"pictures\">",
            );
            for (class, name) in CLASSES.into_iter().enumerate() {
                page.push_str(&curve(name, &test.reliability[class])?);
            }
            page.push_str("</div>\n");
            if model.rounds > 0 {
                page.push_str(&features(test));
            }
        }
    }
    page.push_str("</body></html>\n");
    Ok(page)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn row(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().map(|cell| format!("<td>{cell}</td>")).collect();
    format!("<tr>{}</tr>\n", cells.concat())
}

fn table(head: &[&str], rows: impl IntoIterator<Item = String>) -> String {
    let head: Vec<String> = head.iter().map(|name| format!("<th>{name}</th>")).collect();
    let rows: Vec<String> = rows.into_iter().collect();
    format!("<table><tr>{}</tr>\n{}</table>\n", head.concat(), rows.concat())
}

fn verdict(is_good: bool) -> String {
    let (class, word) = if is_good { ("yes", "proven") } else { ("no", "not proven") };
    format!("<span class=\"{class}\">{word}</span>")
}

fn skill(skill: Option<Skill>) -> String {
    skill.map_or("not measured".into(), |skill| skill.to_string())
}

fn summary(report: &training::Report) -> String {
    let of = |m: &TimeframeReport| {
        let learner = if m.rounds == 0 { "base rates".into() } else { m.params.learner().to_string() };
        let on_test = skill(m.test.as_ref().map(|test| test.skill));
        row([m.timeframe.to_string(), learner, skill(m.out_of_fold), on_test, verdict(m.has_skill())])
    };
    let head = ["timeframe", "model", "Brier skill out of fold", "on the test", "skill"];
    table(&head, report.models.iter().map(of))
}

fn head(m: &TimeframeReport) -> String {
    let [train, stop, test] = m.rows;
    let learnt = if m.rounds == 0 {
        "Nothing held out of fold: it says the base rates.".into()
    } else {
        format!("{}; best after {} rounds; calibration {}.", m.params, m.rounds, m.calibration)
    };
    let [down, flat, up] = m.base_rates.map(|rate| 100.0 * rate);
    format!(
        "<p>Looks {} bars ahead. {train} rows to learn from, {stop} to stop by, {test} to test on. Base rates: down \
         {down:.1}&nbsp;%, flat {flat:.1}&nbsp;%, up {up:.1}&nbsp;%. {learnt}</p>\n",
        m.horizon_bars
    )
}

fn folds(m: &TimeframeReport) -> String {
    let rows = m.folds.iter().enumerate().map(|(place, fold)| {
        let span = |dates: Option<(market::Date, market::Date)>| {
            dates.map_or("none".into(), |(from, to)| format!("{from} to {to}"))
        };
        let [train, stop, test] = fold.rows;
        let number = |pick: fn(&training::metrics::Scores) -> f64| {
            fold.scores.map_or("".into(), |(own, base)| format!("{:.4} ({:.4})", pick(&own), pick(&base)))
        };
        row([
            (place + 1).to_string(),
            span(fold.taught),
            span(fold.tested),
            format!("{train} / {stop} / {test}"),
            number(|s| s.log_loss),
            number(|s| s.accuracy),
            skill(fold.skill),
        ])
    });
    let head = ["fold", "taught", "tested", "rows", "log loss (base)", "accuracy (base)", "Brier skill"];
    format!("<h3>Walk-forward folds</h3>{}", table(&head, rows))
}

fn candidates(m: &TimeframeReport) -> String {
    let rows = m.tried.iter().map(|tried| {
        let losses: Vec<String> = tried.losses.iter().map(|loss| format!("{loss:.4}")).collect();
        row([tried.params.to_string(), losses.join(", ")])
    });
    format!("<h3>Parameters tried</h3>{}", table(&["parameters", "log loss by fold"], rows))
}

fn baselines(m: &TimeframeReport, test: &TestReport) -> String {
    let of = |name: String, scores: &training::metrics::Scores, of: Option<Skill>| {
        row([
            name,
            format!("{:.4}", scores.brier),
            format!("{:.4}", scores.log_loss),
            format!("{:.4}", scores.accuracy),
            skill(of),
        ])
    };
    let own = of(format!("<b>the model</b> {}", verdict(m.has_skill())), &test.scores, Some(test.skill));
    let others = test.baselines.iter().map(|(name, scores, skill)| of(escaped(name), scores, *skill));
    let head = ["on the test", "Brier", "log loss", "accuracy", "Brier skill"];
    format!(
        "<h3>Beside naive forecasters, {} to {}</h3>{}",
        test.tested.0,
        test.tested.1,
        table(&head, [own].into_iter().chain(others))
    )
}

fn features(test: &TestReport) -> String {
    let mut order: Vec<usize> = (0..NAMES.len()).collect();
    order.sort_by(|a, b| test.permutation[*b].total_cmp(&test.permutation[*a]));
    let rows = order.into_iter().take(FEATURES_SHOWN).map(|at| {
        let gain = test.gains.map_or("".into(), |gains| format!("{:.1} %", 100.0 * gains[at]));
        row([NAMES[at].to_string(), format!("{:+.5}", test.permutation[at]), gain])
    });
    let head = ["feature", "Brier score lost without it", "share of the trees' gain"];
    format!("<h3>What it leans on</h3>{}", table(&head, rows))
}

/// One class: the diagonal, and the curves before and after calibration.
fn curve(name: &str, curves: &[(Vec<Bin>, f64); 2]) -> anyhow::Result<String> {
    let mut svg = String::new();
    {
        let area = SVGBackend::with_string(&mut svg, (310, 310)).into_drawing_area();
        let [(_, before), (_, after)] = curves;
        let title = format!("{name}: error {:.1} %, {:.1} % calibrated", 100.0 * before, 100.0 * after);
        let mut chart = ChartBuilder::on(&area)
            .caption(title, ("sans-serif", 14))
            .margin(8)
            .x_label_area_size(24)
            .y_label_area_size(32)
            .build_cartesian_2d(0.0..1.0, 0.0..1.0)?;
        chart.configure_mesh().x_labels(6).y_labels(6).light_line_style(WHITE).draw()?;
        chart.draw_series(LineSeries::new([(0.0, 0.0), (1.0, 1.0)], BLACK.mix(0.3)))?;
        let most = curves.iter().flat_map(|(bins, _)| bins).map(|bin| bin.count).max().unwrap_or(1);
        for ((bins, _), style) in curves.iter().zip([BLUE.mix(0.5).stroke_width(1), RED.filled()]) {
            chart.draw_series(LineSeries::new(bins.iter().map(|bin| (bin.said, bin.happened)), style))?;
            chart.draw_series(bins.iter().map(|bin| {
                // As large as there are forecasts in it.
                let size = 2.0 + 6.0 * (bin.count as f64 / most as f64).sqrt();
                Circle::new((bin.said, bin.happened), size as i32, style)
            }))?;
        }
        area.present()?;
    }
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::train::tests::told;
    use indicators::features::Missing;
    use market::quote::Timeframe;
    use market::{Date, Timestamp};
    use training::labels::Example;

    #[test]
    fn a_page_holds_every_part() {
        // A saw: the first column says what comes.
        let example = |i: i64| {
            let class = (i * 7 % 3) as usize;
            let mut row = [0.0; indicators::FEATURES];
            row[0] = class as f32 - 1.0;
            row[1] = (i % 11) as f32;
            let (at, until) = (Timestamp::from_seconds(60 * i), Timestamp::from_seconds(60 * i + 60));
            let date = Date::from_days((i / 390) as i32);
            Example { at, date, until, row, missing: Missing::NONE, class, weight: 1.0 }
        };
        let examples: Vec<Example> = (0..3_000).map(example).collect();
        let settings = told(&["--learner", "trees", "--trials", "2"]);
        let (model, _) = training::train::learn(Timeframe::Min1, &examples, &settings);
        assert!(model.has_skill());
        let (empty, _) = training::train::learn(Timeframe::Year1, &[], &settings);
        let page = page(&training::Report { models: vec![model, empty] }, "a <test>").expect("drawn");
        for part in [
            "a &lt;test&gt;",
            "Walk-forward folds",
            "Parameters tried",
            "last direction",
            "always flat",
            "logistic on change_1",
            "not measured",
        ] {
            assert!(page.contains(part), "{part}");
        }
        assert_eq!(page.matches("<svg").count(), 3);
        assert_eq!(page.matches("<table>").count(), page.matches("</table>").count());
    }
}
