//! What a question gets: an answer of ours, another server's, or none. Packets in, packets out; no sockets.

use super::super::directory::{Directory, Found, Outside};
use hickory_proto::op::{Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, PTR};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use std::net::IpAddr;

/// How long an answer about a container may be remembered, in seconds.
const TTL: u32 = 600;
/// The length of a header.
const HEADER: usize = 12;

/// What becomes of a packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    /// This is the answer.
    Answer(Vec<u8>),
    /// Another server is to be asked, with the same packet.
    Ask,
    /// It is no question.
    Nothing,
}

/// What a packet of the container `asker` gets.
pub(super) fn answer(packet: &[u8], asker: &str, directory: &Directory) -> Reply {
    let Some(id) = packet.get(..2).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes) else {
        return Reply::Nothing;
    };
    if packet.len() < HEADER {
        return Reply::Nothing;
    }
    let Ok(question) = Message::from_vec(packet) else {
        // Whoever sends an answer that is broken, too, is not told so: two servers could go on for ever.
        let is_answer = packet[2] & 0x80 != 0;
        return if is_answer { Reply::Nothing } else { error(id, ResponseCode::FormErr) };
    };
    if question.metadata.message_type != MessageType::Query {
        return Reply::Nothing;
    }
    if question.metadata.op_code != OpCode::Query {
        return error(id, ResponseCode::NotImp);
    }
    let [query] = question.queries.as_slice() else { return error(id, ResponseCode::FormErr) };
    let name = query.name().to_ascii().to_ascii_lowercase();
    let name = name.trim_end_matches('.');
    let beyond = match directory.outside(asker) {
        Outside::Open => Reply::Ask,
        Outside::Shut => said(&question, query, ResponseCode::NXDomain, Vec::new()),
    };
    if query.query_class() != DNSClass::IN {
        return beyond;
    }
    if query.query_type() == RecordType::PTR {
        return reverse(query, asker, directory)
            .map_or(beyond, |record| said(&question, query, ResponseCode::NoError, vec![record]));
    }
    match directory.find(asker, name) {
        Found::Here(addresses) => {
            let wanted = matches!(query.query_type(), RecordType::A | RecordType::ANY);
            let mut records: Vec<Record> = addresses
                .into_iter()
                .filter(|_| wanted)
                .map(|address| Record::from_rdata(query.name().clone(), TTL, RData::A(A(address))))
                .collect();
            // Several that share a name take turns.
            let turn = usize::from(id) % records.len().max(1);
            records.rotate_left(turn);
            said(&question, query, ResponseCode::NoError, records)
        }
        // A single label is no name of the internet's: it would be a container.
        Found::Nothing if !name.is_empty() && !name.contains('.') => {
            said(&question, query, ResponseCode::NXDomain, Vec::new())
        }
        Found::Nothing => beyond,
    }
}

/// That no other server answered.
pub(super) fn failure(packet: &[u8]) -> Option<Vec<u8>> {
    let id = packet.get(..2).and_then(|b| b.try_into().ok()).map(u16::from_be_bytes)?;
    let question = Message::from_vec(packet).ok()?;
    let mut answer = Message::error_msg(id, OpCode::Query, ResponseCode::ServFail);
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    answer.add_queries(question.queries);
    answer.to_vec().ok()
}

fn reverse(query: &Query, asker: &str, directory: &Directory) -> Option<Record> {
    let net = query.name().parse_arpa_name().ok()?;
    let IpAddr::V4(address) = net.addr() else { return None };
    if net.prefix_len() != 32 {
        return None;
    }
    let name = Name::from_ascii(format!("{}.", directory.name_of(asker, address)?)).ok()?;
    Some(Record::from_rdata(query.name().clone(), TTL, RData::PTR(PTR(name))))
}

fn error(id: u16, code: ResponseCode) -> Reply {
    Message::error_msg(id, OpCode::Query, code).to_vec().map_or(Reply::Nothing, Reply::Answer)
}

fn said(question: &Message, query: &Query, code: ResponseCode, records: Vec<Record>) -> Reply {
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.metadata.response_code = code;
    answer.metadata.authoritative = true;
    answer.metadata.recursion_desired = question.metadata.recursion_desired;
    answer.metadata.recursion_available = true;
    answer.add_query(query.clone());
    answer.add_answers(records);
    answer.to_vec().map_or(Reply::Nothing, Reply::Answer)
}

#[cfg(test)]
mod tests;
