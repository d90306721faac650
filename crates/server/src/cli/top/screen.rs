//! What is on the terminal, and what keys do to it.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::table::{self, Order, Shown, Tone};
use super::view::View;

/// Longest text that is searched for, in letters.
const FILTER_MAX: usize = 100;

/// The state of the live view.
pub(super) struct Screen {
    /// Of all endpoints; nothing was seen yet if there is none.
    view: Option<View>,
    /// Why the last answer did not come.
    trouble: Option<String>,
    order: Order,
    filter: String,
    /// Whether letters go to the filter.
    is_typing: bool,
    /// The first endpoint that is shown.
    first: usize,
    width: usize,
    height: usize,
}

/// Whether to go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    Show,
    End,
}

impl Screen {
    pub(super) const fn new(order: Order, filter: String, (width, height): (u16, u16)) -> Self {
        Self {
            view: None,
            trouble: None,
            order,
            filter,
            is_typing: false,
            first: 0,
            width: width as usize,
            height: height as usize,
        }
    }

    /// Takes what was seen, or why nothing was. What was seen before stays.
    pub(super) fn see(&mut self, seen: Result<View, String>) {
        match seen {
            Ok(view) => {
                self.view = Some(view);
                self.trouble = None;
            }
            Err(trouble) => self.trouble = Some(trouble),
        }
    }

    pub(super) fn resize(&mut self, width: u16, height: u16) {
        self.width = usize::from(width);
        self.height = usize::from(height);
    }

    /// Does what a key says.
    pub(super) fn press(&mut self, key: KeyEvent) -> Next {
        if key.modifiers.contains(KeyModifiers::CONTROL) {
            return match key.code {
                KeyCode::Char('c') => Next::End,
                _ => Next::Show,
            };
        }
        if self.is_typing {
            self.edit(key.code);
            return Next::Show;
        }
        let page = self.height / 2;
        match key.code {
            KeyCode::Char('q') => return Next::End,
            KeyCode::Char('s') => self.order = self.order.moved(1),
            KeyCode::Char('S') => self.order = self.order.moved_back(),
            KeyCode::Char('r') => self.order = self.order.reversed(),
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Esc => self.filter.clear(),
            KeyCode::Down => self.first = self.first.saturating_add(1),
            KeyCode::Up => self.first = self.first.saturating_sub(1),
            KeyCode::PageDown => self.first = self.first.saturating_add(page),
            KeyCode::PageUp => self.first = self.first.saturating_sub(page),
            KeyCode::Home => self.first = 0,
            _ => {}
        }
        Next::Show
    }

    fn edit(&mut self, key: KeyCode) {
        match key {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.filter.clear();
                self.is_typing = false;
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Char(letter) if self.filter.chars().count() < FILTER_MAX => {
                self.filter.push(letter);
            }
            _ => {}
        }
        self.first = 0;
    }

    /// What is shown, at most as many lines as there are. The last says what
    /// keys do.
    pub(super) fn lines(&mut self) -> Vec<Shown> {
        let mut lines = match self.view.clone() {
            None => vec![Shown::new("asking the server ...", Tone::Plain)],
            Some(mut view) => {
                let head = table::head(&view);
                self.order.apply(&mut view, &self.filter);
                let mut body = table::body(&view, Some(self.width)).into_iter();
                let mut lines = head;
                lines.extend(self.trouble.iter().map(|why| Shown::new(why, Tone::Bad)));
                lines.extend(body.next());
                // The last line is for keys.
                let room = self.height.saturating_sub(lines.len() + 1);
                self.first = self.first.min(body.len().saturating_sub(room));
                lines.extend(body.skip(self.first).take(room));
                lines
            }
        };
        if self.view.is_none() {
            lines.extend(self.trouble.iter().map(|why| Shown::new(why, Tone::Bad)));
        }
        lines.truncate(self.height.saturating_sub(1));
        lines.push(Shown::new(self.foot(), Tone::Plain));
        for line in &mut lines {
            line.text = table::fitted(&line.text, self.width);
        }
        lines
    }

    fn foot(&self) -> String {
        if self.is_typing {
            return format!("/{}_  (Enter keeps it, Esc drops it)", self.filter);
        }
        let filter = match &*self.filter {
            "" => "/ filters".to_owned(),
            filter => format!("filtered by {filter:?}, Esc shows all"),
        };
        format!(
            "sorted by {}  s S sort, r turns, {filter}, q ends",
            self.order
        )
    }
}
