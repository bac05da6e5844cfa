//! A text as a QR code in SVG.

use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};

/// The picture; none when the text is too long for a QR code.
pub fn svg(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text.as_bytes(), EcLevel::M).ok()?;
    let picture = code
        .render::<svg::Color<'_>>()
        .min_dimensions(320, 320)
        .quiet_zone(true)
        .build();
    Some(picture)
}
