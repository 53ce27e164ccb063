//! A command, as somebody may build it who takes Sealift for a place to run programs: it exports
//! `wasi:cli/run` and nothing of ours, and wants files and the network of the machine.

#![allow(
    unsafe_code,
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "the macro of the exports makes unsafe functions; wanting what it does not get is what this guest is for"
)]

#[allow(
    unsafe_code,
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::allow_attributes_without_reason,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "generated"
)]
mod bindings {
    wit_bindgen::generate!({
        inline: "
            package tests:guest;

            world guest {
                export wasi:cli/run@0.2.6;
            }

            package wasi:cli@0.2.6 {
                interface run {
                    run: func() -> result;
                }
            }
        ",
        world: "tests:guest/guest",
        generate_all,
    });
}

use std::io::Write;
use std::net::TcpStream;

use bindings::exports::wasi::cli::run::Guest;

struct Command;
bindings::export!(Command with_types_in bindings);

impl Guest for Command {
    fn run() -> Result<(), ()> {
        let text = std::fs::read("/etc/hostname").map_err(drop)?;
        println!("this machine is {}", String::from_utf8_lossy(&text));
        let mut stream = TcpStream::connect(("127.0.0.1", 80)).map_err(drop)?;
        stream.write_all(&text).map_err(drop)
    }
}
