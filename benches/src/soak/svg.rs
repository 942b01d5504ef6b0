//! Memory over time, as a drawing.

use std::fmt::Write;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 240.0;
/// Room for the numbers at the axes.
const LEFT: f64 = 48.0;
const FOOT: f64 = 24.0;
const TOP: f64 = 24.0;
/// How many lines there are across.
const STEPS: i32 = 4;

/// Minutes and MiB as an SVG; the axis of memory begins at 0.
pub(super) fn draw(points: &[(f64, f64)]) -> String {
    let most = |of: fn(&(f64, f64)) -> f64| points.iter().map(of).fold(1e-9, f64::max);
    let (time, memory) = (most(|point| point.0), round_up(most(|point| point.1)));
    let x = |minutes: f64| LEFT + minutes / time * (WIDTH - LEFT - 8.0);
    let y = |mebibytes: f64| HEIGHT - FOOT - mebibytes / memory * (HEIGHT - FOOT - TOP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"#fff\"/>\n\
         <text x=\"{LEFT}\" y=\"14\">Resident memory of the gateway, MiB, by minutes of the run</text>\n"
    );
    for step in 0..=STEPS {
        let share = f64::from(step) / f64::from(STEPS);
        let (height, right) = (y(memory * share), WIDTH - 8.0);
        // Nothing that is written to a String fails.
        let _ = writeln!(
            svg,
            "<path d=\"M{LEFT} {height:.1}H{right}\" stroke=\"#ddd\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{:.0}</text>\
             <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{:.1}</text>",
            LEFT - 6.0,
            height + 4.0,
            memory * share,
            x(time * share).clamp(LEFT, WIDTH - 20.0),
            HEIGHT - 8.0,
            time * share,
        );
    }
    let line: Vec<String> =
        points.iter().map(|(minutes, memory)| format!("{:.1},{:.1}", x(*minutes), y(*memory))).collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"#06c\" stroke-width=\"1.5\"/>",
        line.join(" ")
    );
    svg + "</svg>\n"
}

/// To a multiple of four that leaves the lines across at whole numbers.
fn round_up(most: f64) -> f64 {
    let steps = f64::from(STEPS);
    (most / steps).ceil().max(1.0) * steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_begins_at_the_left_and_stays_within_the_drawing() {
        let svg = draw(&[(0.0, 0.0), (5.0, 31.0), (10.0, 32.0)]);
        assert!(svg.contains("points=\"48.0,216.0 380.0,30.0 712.0,24.0\""), "{svg}");
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
    }
}
