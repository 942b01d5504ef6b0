//! The figures as bars, job by job.

use std::fmt::Write;

use super::report::{Report, Row, rounded};
use crate::gateways::Kind;

const WIDTH: f64 = 720.0;
/// Room for the names, and for the numbers behind the bars.
const LEFT: f64 = 96.0;
const RIGHT: f64 = 110.0;
const BAR: f64 = 16.0;
const TITLE: f64 = 30.0;

pub(super) fn draw(report: &Report) -> String {
    let groups = report.groups();
    bars(&groups)
}

/// Bars of medians, the longest of each group as long as there is room; a thin line from least to most.
fn bars(groups: &[Vec<&Row>]) -> String {
    let height: f64 =
        groups.iter().map(|group| TITLE + BAR * crate::load::to_float(group.len() as u64)).sum();
    let height = height + 16.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height:.0}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"{height:.0}\" fill=\"#fff\"/>\n"
    );
    let mut y = 0.0;
    for group in groups {
        let Some(first) = group.first() else { continue };
        let most = group.iter().flat_map(|row| &row.values).fold(1e-9_f64, |most, value| most.max(*value));
        let x = |value: f64| LEFT + value / most * (WIDTH - LEFT - RIGHT);
        y += TITLE;
        // Nothing that is written to a String fails.
        let _ = writeln!(
            svg,
            "<text x=\"8\" y=\"{:.0}\" font-weight=\"bold\">{}: {}, {} (less is better)</text>",
            y - 8.0,
            first.task.title(),
            first.name,
            first.unit,
        );
        for row in group {
            let least = row.values.iter().fold(f64::MAX, |least, value| least.min(*value));
            let most = row.values.iter().fold(0.0_f64, |most, value| most.max(*value));
            let middle = y + BAR / 2.0;
            let colour = if row.kind == Kind::Landbridge { "#06c" } else { "#9ab" };
            let _ = writeln!(
                svg,
                "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"end\">{}</text>\
                 <rect x=\"{LEFT}\" y=\"{:.0}\" width=\"{:.1}\" height=\"{:.0}\" fill=\"{colour}\"/>\
                 <path d=\"M{:.1} {middle:.0}H{:.1}\" stroke=\"#222\"/>\
                 <text x=\"{:.1}\" y=\"{:.0}\">{}</text>",
                LEFT - 6.0,
                middle + 4.0,
                row.kind.name(),
                y + 2.0,
                x(row.median()) - LEFT,
                BAR - 4.0,
                x(least),
                x(most),
                x(most) + 6.0,
                middle + 4.0,
                rounded(row.median()),
            );
            y += BAR;
        }
    }
    svg + "</svg>\n"
}
