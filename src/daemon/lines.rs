//! The serial lines on a thread of their own: no page and no handshake with the broker keeps a lock or a scanner waiting, and what
//! a port says reaches whoever asked without a change of threads (IO).

use std::io;

use tokio::runtime::Builder;

/// Starts the thread that carries the lock bus and the scanners; it ends with the bus.
///
/// # Errors
/// The system gives no thread.
pub fn attend(
    bus: impl Future<Output = ()> + Send + 'static,
    scanners: Vec<impl Future<Output = ()> + Send + 'static>,
) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let carry = async {
        for scanner in scanners {
            tokio::spawn(scanner);
        }
        bus.await;
    };
    std::thread::Builder::new()
        .name("lines".into())
        .spawn(move || runtime.block_on(carry))?;
    Ok(())
}
