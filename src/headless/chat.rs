//! A talk with one persona, line by line.

use crate::{
    link::FrontEndLink,
    model::{PersonaIndex, Turn, TurnBy, strip_controls, strip_controls_keep_lines},
    protocol::{CommandId, CommandOutcome, Conversation, LONGEST_SAID, Order, Update},
};
use std::io::{self, Write};
use tokio::sync::mpsc::UnboundedReceiver;

/// What ends a talk, beside the end of the lines.
const QUIT: &str = "/quit";

/// Why a talk could not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChatError {
    /// The engine does not let us talk with this persona.
    #[error("{0}")]
    Refused(String),
    #[error("the run's engine is gone; what was said is kept: start again to go on")]
    EngineGone,
}

/// How a talk went.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Talked {
    /// Questions without an answer.
    pub unanswered: u32,
}

/// Talks until the lines end. `prompted`: somebody sits there and is shown whose turn it is.
///
/// # Errors
/// Where there can be no talk, or no more of it.
pub async fn chat(
    link: FrontEndLink,
    persona: PersonaIndex,
    mut lines: UnboundedReceiver<String>,
    prompted: bool,
    out: impl Write,
) -> Result<Talked, ChatError> {
    let mut chat = Chat { link, persona, prompted, out, turns: 0, talked: Talked::default() };
    let conversation = chat.open().await?;
    chat.greet(&conversation);
    loop {
        chat.prompt();
        let Some(line) = lines.recv().await else { break };
        match line.trim() {
            QUIT => break,
            "" => {}
            said => chat.exchange(said).await?,
        }
    }
    chat.link.send(Order::CloseTalk { persona });
    Ok(chat.talked)
}

struct Chat<W> {
    link: FrontEndLink,
    persona: PersonaIndex,
    prompted: bool,
    out: W,
    /// Those that were shown.
    turns: usize,
    talked: Talked,
}

/// What came of waiting.
enum Heard {
    Talk(Box<Conversation>),
    Refused(String),
}

impl<W: Write> Chat<W> {
    async fn open(&mut self) -> Result<Conversation, ChatError> {
        let id = self.link.send(Order::OpenTalk { persona: self.persona });
        let conversation = match self.heard(id).await? {
            Heard::Talk(conversation) => *conversation,
            Heard::Refused(why) => return Err(ChatError::Refused(why)),
        };
        match conversation.closed {
            Some(why) => Err(ChatError::Refused(why)),
            None => Ok(conversation),
        }
    }

    /// The next thing about the talk. After a lost connection the talk is opened again.
    async fn heard(&self, asked: CommandId) -> Result<Heard, ChatError> {
        let mut lost = false;
        loop {
            match self.link.next().await.ok_or(ChatError::EngineGone)? {
                Update::Talk(talk) if talk.persona == self.persona => return Ok(Heard::Talk(talk)),
                Update::Applied { id, outcome: CommandOutcome::Refused { why } } if id == asked => {
                    return Ok(Heard::Refused(strip_controls(&why)));
                }
                Update::Reconnecting => lost = true,
                Update::Snapshot(_) if lost => {
                    lost = false;
                    self.link.send(Order::OpenTalk { persona: self.persona });
                }
                _ => {}
            }
        }
    }

    /// A question and what comes back.
    async fn exchange(&mut self, said: &str) -> Result<(), ChatError> {
        // The link takes no message of any length.
        if said.chars().nth(LONGEST_SAID).is_some() {
            self.talked.unanswered += 1;
            self.line(&format!("-- not asked: say it in at most {LONGEST_SAID} characters"));
            return Ok(());
        }
        let order = Order::Say { persona: self.persona, text: said.to_owned() };
        let id = self.link.send(order);
        self.think(true);
        loop {
            match self.heard(id).await? {
                // The question itself is one turn.
                Heard::Talk(talk)
                    if talk.thinking_since.is_none() && talk.turns.len() > self.turns + 1 =>
                {
                    self.think(false);
                    for turn in &talk.turns[self.turns + 1..] {
                        self.show(turn);
                        self.talked.unanswered += u32::from(turn.by == TurnBy::Notice);
                    }
                    self.turns = talk.turns.len();
                    return Ok(());
                }
                Heard::Talk(_) => {}
                Heard::Refused(why) => {
                    self.think(false);
                    self.talked.unanswered += 1;
                    self.line(&format!("-- not asked: {why}"));
                    return Ok(());
                }
            }
        }
    }

    fn greet(&mut self, conversation: &Conversation) {
        let Conversation { persona, id, turns, .. } = conversation;
        self.turns = turns.len();
        if !self.prompted {
            return;
        }
        let id = strip_controls(id);
        let named = if id == persona.to_string() { String::new() } else { format!(" (id {id})") };
        self.line(&format!("persona {persona}{named}; {QUIT} or Ctrl-D ends the talk"));
        for turn in turns {
            self.show(turn);
        }
    }

    fn show(&mut self, turn: &Turn) {
        let text = strip_controls_keep_lines(&turn.text);
        match turn.by {
            TurnBy::Asker => self.line(&format!("you> {text}")),
            TurnBy::Persona => self.line(&text),
            TurnBy::Notice => self.line(&format!("-- {text}")),
        }
    }

    fn prompt(&mut self) {
        if self.prompted {
            self.write("you> ");
        }
    }

    fn think(&mut self, thinks: bool) {
        if self.prompted {
            self.write(if thinks { "(is thinking)" } else { "\r\x1b[K" });
        }
    }

    fn line(&mut self, text: &str) {
        self.write(&format!("{text}\n"));
    }

    /// A reader that has gone away has heard what it wanted.
    fn write(&mut self, text: &str) {
        let _: io::Result<()> = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
    }
}
