//! Room that segments hold and do not use: the zeros behind their last record, once they take no more appends.
//!
//! It is given back when the next segment begins. A power cut may forget that, and who starts over and over has many such segments; so
//! a disk that is full gets it back from all of them.

use std::io;

use super::disk::Disk;
use super::opening::belongs;
use super::segments::{self, Active, Beginning, Blanks, SegmentName};

/// Gives back what lies behind `used_end`. Only space depends on it; says whether there was anything.
pub(super) fn cut(disk: &dyn Disk, name: SegmentName, used_end: u64) -> bool {
    let Ok(file) = disk.open(&name.file_name(), true) else {
        return false;
    };
    let slack = file.length().is_ok_and(|length| length > used_end);
    slack && file.set_length(used_end).is_ok()
}

/// Begins a segment; a full disk gets back what these closed segments do not use, and is tried once more.
pub(super) fn begin(
    disk: &dyn Disk,
    blanks: &Blanks,
    beginning: &Beginning<'_>,
    closed: &[SegmentName],
) -> io::Result<Active> {
    match segments::begin(disk, blanks, beginning) {
        Err(error) if error.kind() == io::ErrorKind::StorageFull && cut_all(disk, closed) => {
            segments::begin(disk, blanks, beginning)
        }
        begun => begun,
    }
}

/// Damaged segments stay as they are, for who examines them.
fn cut_all(disk: &dyn Disk, closed: &[SegmentName]) -> bool {
    closed.iter().fold(false, |any, name| {
        let used_end = used_end(disk, *name).ok().flatten();
        used_end.is_some_and(|end| cut(disk, *name, end)) || any
    })
}

fn used_end(disk: &dyn Disk, name: SegmentName) -> io::Result<Option<u64>> {
    let file = disk.open(&name.file_name(), false)?;
    let header = segments::read_header(&*file)?.ok();
    let Some(header) = header.filter(|header| belongs(header, name)) else {
        return Ok(None);
    };
    let read = segments::read_segment(file, name, Some(&header), None)?;
    Ok(read.judged.damage.is_empty().then_some(read.used_end))
}
