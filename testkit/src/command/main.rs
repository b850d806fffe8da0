//! The command `mock-tenant`: a development MonoCloud for an API or a client in any language.

mod args;
mod audit;
mod config;
mod decode;
mod failure;
mod hostile;
mod http;
mod policy;
mod run;
mod terminal;
mod token;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};

use crate::{
    args::{Args, Command, PolicyCommand},
    failure::Failure,
    terminal::print,
};

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(Command::Audit(audit)) = args.command {
        return audit::audit(*audit).unwrap_or_else(Failure::report);
    }
    match perform(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

fn perform(args: Args) -> Result<(), Failure> {
    match args.command {
        None => run::run(args.run),
        Some(Command::Run(run)) => run::run(run),
        Some(Command::Token(token)) => token::token(token),
        Some(Command::Decode { token }) => decode::decode(&token),
        // `main` takes it for its exit code.
        Some(Command::Audit(_)) => Ok(()),
        Some(Command::Hostile { format }) => hostile::list(format),
        Some(Command::Policy(PolicyCommand::Report(args))) => policy::report(&args),
        Some(Command::Policy(PolicyCommand::Diff(args))) => policy::diff(&args),
        Some(Command::Config { check: None }) => print(config::EXAMPLE),
        Some(Command::Config { check: Some(file) }) => config::check(&file),
        Some(Command::Completions { shell }) => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "mock-tenant", &mut script);
            print(&String::from_utf8_lossy(&script))
        }
    }
}
