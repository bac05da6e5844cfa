//! QR codes as inline SVG; the only file that names `qrcode`.

use std::fmt::Write;

use maud::{Markup, PreEscaped, html};
use qrcode::{Color, EcLevel, QrCode};

/// Modules of white around the code, as the standard wants it.
const QUIET: usize = 4;

/// A QR code of this text, black on white with its quiet zone; none when the text is too long for one. Texts of upper-case
/// letters, digits and `` $%*+-./:`` (all our codes and passes) take alphanumeric mode by themselves.
pub fn svg(text: &str, label: &str) -> Option<Markup> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let width = code.width();
    let side = width + 2 * QUIET;
    let mut path = String::new();
    for (place, color) in code.to_colors().into_iter().enumerate() {
        if color == Color::Dark {
            let (x, y) = (place % width + QUIET, place / width + QUIET);
            write!(path, "M{x} {y}h1v1h-1z").expect("a String takes every text");
        }
    }
    Some(html! {
        svg.qr role="img" aria-label=(label) viewBox={ "0 0 " (side) " " (side) } shape-rendering="crispEdges" {
            (PreEscaped("<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>"))
            path fill="#000" d=(path) {}
        }
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Draws the SVG's path with four pixels a module and reads it as a phone would.
    fn read(svg: &str) -> (String, usize) {
        let side: usize = svg
            .split("viewBox=\"0 0 ")
            .nth(1)
            .unwrap()
            .split(' ')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let path = svg.split(" d=\"M").nth(1).unwrap().split('"').next().unwrap();
        let mut dark = vec![false; side * side];
        for square in path.split('M') {
            let (x, rest) = square.split_once(' ').unwrap();
            let y = rest.split('h').next().unwrap();
            dark[y.parse::<usize>().unwrap() * side + x.parse::<usize>().unwrap()] = true;
        }
        let pixel = |x: usize, y: usize| if dark[y / 4 * side + x / 4] { 0 } else { 255 };
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side * 4, side * 4, pixel);
        let (_, text) = image.detect_grids()[0].decode().unwrap();
        (text, side)
    }

    #[test]
    fn a_phone_reads_what_was_written() {
        for text in [
            "LP1:HZ-0001:7KQ2M4X9A0B1C2D3E4F5G6H7J8",
            "LK1:6BF%$./ABC",
            "https://example.gov/办?a=1&b=<2>",
        ] {
            let (read, _) = read(&svg(text, "code").unwrap().into_string());
            assert_eq!(read, text);
        }
    }

    #[test]
    fn our_codes_take_the_alphanumeric_mode() {
        let upper = &format!("LP1:{}", "7KQ2M4X9".repeat(7));
        let (_, dense) = read(&svg(upper, "").unwrap().into_string());
        let (_, bytes) = read(&svg(&upper.to_lowercase(), "").unwrap().into_string());
        assert!(dense < bytes, "{dense} against {bytes}");
    }

    #[test]
    fn a_text_that_is_too_long_has_no_code() {
        assert!(svg(&"A".repeat(5000), "").is_none());
    }
}
