//! The view on a terminal, until somebody ends it.

use std::future::poll_fn;
use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::task::Poll;
use std::time::Duration;

use crossterm::cursor::{Hide, MoveTo, Show};
use crossterm::event::{Event, KeyEvent, KeyEventKind, poll, read};
use crossterm::style::{Attribute, Color, Print, ResetColor, SetAttribute, SetForegroundColor};
use crossterm::terminal::{
    BeginSynchronizedUpdate, Clear, ClearType, DisableLineWrap, EnableLineWrap,
    EndSynchronizedUpdate, EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode,
    enable_raw_mode, size,
};
use crossterm::{execute, queue};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::super::{Error, block_on};
use super::screen::{Next, Screen};
use super::table::{Order, Shown, Tone};
use super::view::View;
use super::{Server, ask};

/// How long keys are waited for before answers are looked for.
const TICK: Duration = Duration::from_millis(50);

/// What one look came to.
type Seen = Result<Box<View>, String>;

/// What is told to whoever draws.
enum Told {
    Seen(Seen),
    /// The program is to end, by the signal of this number.
    Signal(i32),
}

/// Signals that end a program, and that leave a terminal as the program had it.
/// Ctrl-C is a key here, but somebody may send its signal.
const ENDING: [SignalKind; 3] = [
    SignalKind::terminate(),
    SignalKind::interrupt(),
    SignalKind::hangup(),
];

/// Shows a server until a key or a signal ends it. A signal ends the process with
/// the status that shells know it by.
///
/// # Errors
/// The server cannot be asked at the start, or the terminal cannot be used.
/// Later a server that does not answer is said on the screen: it may be back.
pub(super) fn run(
    server: Server,
    interval: Duration,
    order: Order,
    filter: String,
) -> Result<(), Error> {
    let (tell, told) = sync_channel(1);
    let (began, begun) = sync_channel(1);
    std::thread::Builder::new()
        .name("bourse-top".to_owned())
        .spawn(move || look(&server, interval, &began, &tell))?;
    // What is wrong from the beginning is told on the ordinary screen.
    begun.recv().map_err(|_| "nobody asks the server")??;
    let mut out = Terminal::take()?;
    let mut screen = Screen::new(order, filter, size()?);
    let shown = show(&mut out, &mut screen, &told);
    // Given back before anything is said of how it went.
    drop(out);
    match shown? {
        None => Ok(()),
        Some(signal) => std::process::exit(128 + signal),
    }
}

/// From here on, [`ENDING`] are told and do not end the program by themselves.
fn ending() -> io::Result<Vec<(i32, Signal)>> {
    let kinds = ENDING.into_iter();
    kinds
        .map(|kind| Ok((kind.as_raw_value(), signal(kind)?)))
        .collect()
}

/// Waits for any of [`ENDING`].
async fn ended_by(mut signals: Vec<(i32, Signal)>) -> i32 {
    poll_fn(|cx| {
        for (number, signal) in &mut signals {
            if signal.poll_recv(cx).is_ready() {
                return Poll::Ready(*number);
            }
        }
        Poll::Pending
    })
    .await
}

/// Asks again and again, until nobody wants to know or the program ends.
fn look(
    server: &Server,
    interval: Duration,
    began: &SyncSender<Result<(), Error>>,
    tell: &SyncSender<Told>,
) {
    let looking = async {
        let signals = match ending() {
            Ok(signals) => signals,
            Err(error) => {
                let _ = began.send(Err(error.into()));
                return Ok(());
            }
        };
        tokio::select! {
            () = ask_again(server, interval, began, tell) => {}
            number = ended_by(signals) => {
                // Perhaps the server was still being asked for the first time.
                let _ = began.try_send(Ok(()));
                let _ = tell.send(Told::Signal(number));
            }
        }
        Ok(())
    };
    // Only the runtime itself can fail, and then `began` is dropped.
    let _ = block_on(looking);
}

async fn ask_again(
    server: &Server,
    interval: Duration,
    began: &SyncSender<Result<(), Error>>,
    tell: &SyncSender<Told>,
) {
    let mut before = match ask(server).await {
        Ok(status) => status,
        Err(error) => {
            let _ = began.send(Err(error));
            return;
        }
    };
    let _ = began.send(Ok(()));
    loop {
        tokio::time::sleep(interval).await;
        let seen = match ask(server).await {
            Ok(now) => {
                let view = View::between(server.url(), &before, &now);
                before = now;
                Ok(Box::new(view))
            }
            Err(error) => Err(error.to_string()),
        };
        if tell.send(Told::Seen(seen)).is_err() {
            return;
        }
    }
}

/// Returns the signal that ended it, if one did.
fn show(
    out: &mut Terminal,
    screen: &mut Screen,
    told: &Receiver<Told>,
) -> Result<Option<i32>, Error> {
    out.draw(&screen.lines())?;
    loop {
        let mut has_changed = false;
        match told.try_recv() {
            Ok(Told::Seen(seen)) => {
                screen.see(seen.map(|view| *view));
                has_changed = true;
            }
            Ok(Told::Signal(number)) => return Ok(Some(number)),
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => return Err("nobody asks the server".into()),
        }
        if poll(TICK)? {
            match read()? {
                Event::Key(key) if is_pressed(&key) && screen.press(key) == Next::End => {
                    return Ok(None);
                }
                Event::Resize(width, height) => screen.resize(width, height),
                _ => {}
            }
            has_changed = true;
        }
        if has_changed {
            out.draw(&screen.lines())?;
        }
    }
}

/// A terminal that is given back as it was found.
struct Terminal {
    has_colours: bool,
}

impl Terminal {
    fn take() -> io::Result<Self> {
        enable_raw_mode()?;
        // From here on, whatever fails, it is given back.
        let taken = Self {
            has_colours: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        execute!(io::stdout(), EnterAlternateScreen, DisableLineWrap, Hide)?;
        Ok(taken)
    }

    /// Puts lines on the screen, in one write: over a slow line a screen that
    /// is drawn in parts flickers.
    fn draw(&mut self, lines: &[Shown]) -> io::Result<()> {
        let mut bytes = Vec::new();
        queue!(bytes, BeginSynchronizedUpdate)?;
        for (row, line) in (0_u16..).zip(lines) {
            queue!(bytes, MoveTo(0, row))?;
            self.paint(&mut bytes, line.tone)?;
            queue!(bytes, Print(&line.text), SetAttribute(Attribute::Reset))?;
            if self.has_colours {
                queue!(bytes, ResetColor)?;
            }
            queue!(bytes, Clear(ClearType::UntilNewLine))?;
        }
        queue!(
            bytes,
            Clear(ClearType::FromCursorDown),
            EndSynchronizedUpdate
        )?;
        let mut out = io::stdout().lock();
        out.write_all(&bytes)?;
        out.flush()
    }

    fn paint(&self, bytes: &mut Vec<u8>, tone: Tone) -> io::Result<()> {
        let colour = match tone {
            Tone::Plain => return Ok(()),
            Tone::Heading => return queue!(bytes, SetAttribute(Attribute::Reverse)),
            Tone::Uneasy => Color::Yellow,
            Tone::Bad => Color::Red,
        };
        if self.has_colours {
            queue!(bytes, SetForegroundColor(colour))?;
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = execute!(io::stdout(), Show, EnableLineWrap, LeaveAlternateScreen);
        let _ = disable_raw_mode();
    }
}

/// Some terminals also tell when a key is let go of.
fn is_pressed(key: &KeyEvent) -> bool {
    key.kind != KeyEventKind::Release
}
