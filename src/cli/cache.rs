//! The flags of `voxpop cache`.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct CacheArgs {
    #[command(subcommand)]
    pub command: Option<CacheCommand>,
    /// One JSON object
    #[arg(long, global = true)]
    pub json: bool,
}

#[derive(Clone, Copy, Debug, Subcommand)]
pub enum CacheCommand {
    /// Empty it
    Clear,
}
