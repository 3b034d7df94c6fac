//! The page's TypeScript types are generated from the server's Rust types; this fails when they drift.
//!
//! `SANDLOT_WRITE=1 cargo test -p sandlot-server --test protocol` writes the file anew.

use sandlot_server::http::{body, body_kept, body_registry, course_body, file_body};
use sandlot_server::terminal::protocol;
use std::path::Path;
use ts_rs::{Config, TS};

fn declare<T: TS>(config: &Config) -> String {
    let docs = T::docs().unwrap_or_default();
    format!("\n{docs}export {}\n", T::decl(config))
}

fn generated() -> String {
    let config = Config::new().with_large_int("number");
    let mut text = String::from(
        "//! Generated from the server's types (`server/src/terminal/protocol.rs`, `server/src/http/body.rs`): do not edit.\n\
         //! `SANDLOT_WRITE=1 cargo test -p sandlot-server --test protocol` writes it anew.\n",
    );
    for declaration in [
        declare::<protocol::TerminalMode>(&config),
        declare::<protocol::NoticeLevel>(&config),
        declare::<protocol::Onlooker>(&config),
        declare::<protocol::RecordingState>(&config),
        declare::<protocol::ServerMessage>(&config),
        declare::<protocol::ClientMessage>(&config),
        declare::<body::CatalogueImage>(&config),
        declare::<body::CreateSession>(&config),
        declare::<body::SessionState>(&config),
        declare::<body::EndReason>(&config),
        declare::<body::TerminalInfo>(&config),
        declare::<body::Access>(&config),
        declare::<body::SessionInfo>(&config),
        declare::<body::CreateTerminal>(&config),
        declare::<body::SessionUsage>(&config),
        declare::<body::LimitKind>(&config),
        declare::<body::LimitNote>(&config),
        declare::<body::SessionStats>(&config),
        declare::<body::KeepWork>(&config),
        declare::<body::KeptWork>(&config),
        declare::<body::Role>(&config),
        declare::<body::Me>(&config),
        declare::<body::EngineKind>(&config),
        declare::<body::Info>(&config),
        declare::<body::Problem>(&config),
        declare::<body_kept::CreateShare>(&config),
        declare::<body_kept::GuestInfo>(&config),
        declare::<body_kept::ShareInfo>(&config),
        declare::<body_kept::RecordingInfo>(&config),
        declare::<body_kept::FoundLine>(&config),
        declare::<body_kept::CreateMarker>(&config),
        declare::<body_registry::RegistryInfo>(&config),
        declare::<body_registry::RegistryLogin>(&config),
        declare::<body_registry::RegistryRepository>(&config),
        declare::<body_registry::RegistryTag>(&config),
        declare::<file_body::FileKind>(&config),
        declare::<file_body::FileEntry>(&config),
        declare::<file_body::FileListing>(&config),
        declare::<file_body::FileChange>(&config),
        declare::<file_body::RenameFile>(&config),
        declare::<file_body::ListeningPort>(&config),
        declare::<course_body::CourseInfo>(&config),
        declare::<course_body::CourseItemKind>(&config),
        declare::<course_body::CourseItem>(&config),
        declare::<course_body::CourseDetail>(&config),
        declare::<course_body::LabPort>(&config),
        declare::<course_body::LabHint>(&config),
        declare::<course_body::LabTask>(&config),
        declare::<course_body::QuestionKind>(&config),
        declare::<course_body::LabQuestion>(&config),
        declare::<course_body::LabStep>(&config),
        declare::<course_body::LabDetail>(&config),
        declare::<course_body::LabReadiness>(&config),
        declare::<course_body::LabSession>(&config),
        declare::<course_body::CheckStep>(&config),
        declare::<course_body::CheckResult>(&config),
        declare::<course_body::NameStep>(&config),
        declare::<course_body::AnswerQuestion>(&config),
        declare::<course_body::SlideInfo>(&config),
        declare::<course_body::DeckDetail>(&config),
        declare::<course_body::ProgressEntry>(&config),
    ] {
        text.push_str(&declaration);
    }
    text
}

#[test]
fn typescript_matches_the_rust_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web/src/protocol/generated.ts");
    let expected = generated();
    if std::env::var_os("SANDLOT_WRITE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &expected).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(
        found == expected,
        "web/src/protocol/generated.ts has drifted: write it anew (see this file's head)"
    );
}
