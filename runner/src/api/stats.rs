//! `GET /containers/{id}/stats`, in the form that `docker stats` reads.

use super::error::{Answer, Error};
use super::query::Parameters;
use crate::container::cgroup::{Block, Stats};
use crate::engine::Engine;
use crate::engine::stats::Reading;
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde_json::{Value, json};
use std::time::Duration;

/// How far two readings lie apart.
const PERIOD: Duration = Duration::from_secs(1);

/// The handler.
pub(super) async fn stats(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Query(p): Query<Parameters>,
) -> Answer {
    let container = engine.find(&id)?;
    let (id, name) = (container.id.clone(), container.name());
    let first = engine.stats(&id)?;
    let json_body = |body| {
        Response::builder()
            .header(hyper::header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|e| Error::bad(e.to_string()))
    };
    if !p.on_by_default("stream") {
        let before = if p.on("one-shot") {
            None
        } else {
            tokio::time::sleep(PERIOD).await;
            Some(first.clone())
        };
        let now = if before.is_some() { engine.stats(&id)? } else { first };
        return json_body(Body::from(shape(&id, &name, &now, before.as_ref()).to_string() + "\n"));
    }
    let states = futures_util::stream::unfold((None, first), move |(before, now)| {
        let (engine, id, name) = (engine.clone(), id.clone(), name.clone());
        async move {
            if before.is_some() {
                tokio::time::sleep(PERIOD).await;
            }
            let text = shape(&id, &name, &now, before.as_ref()).to_string() + "\n";
            let next = engine.stats(&id).ok()?;
            Some((Ok::<_, std::convert::Infallible>(text), (Some(now), next)))
        }
    });
    json_body(Body::from_stream(states))
}

fn shape(id: &str, name: &str, now: &Reading, before: Option<&Reading>) -> Value {
    let zero = jiff::Timestamp::UNIX_EPOCH;
    json!({
        "id": id,
        "name": format!("/{name}"),
        "read": now.at.to_string(),
        "preread": before.map_or(zero, |b| b.at).to_string(),
        "num_procs": 0,
        "pids_stats": { "current": now.stats.pids.current, "limit": now.stats.pids.limit.unwrap_or(u64::MAX) },
        "cpu_stats": cpu(now),
        "precpu_stats": before.map_or_else(|| json!({}), cpu),
        "memory_stats": memory(&now.stats),
        "blkio_stats": block(&now.stats),
        "networks": now.networks.iter().map(|n| (n.name.clone(), json!({
            "rx_bytes": n.rx_bytes, "rx_packets": n.rx_packets, "rx_errors": 0, "rx_dropped": 0,
            "tx_bytes": n.tx_bytes, "tx_packets": n.tx_packets, "tx_errors": 0, "tx_dropped": 0,
        }))).collect::<serde_json::Map<_, _>>(),
        "storage_stats": {},
    })
}

fn cpu(reading: &Reading) -> Value {
    let cpu = &reading.stats.cpu;
    json!({
        "cpu_usage": {
            "total_usage": cpu.total,
            "usage_in_usermode": cpu.user,
            "usage_in_kernelmode": cpu.system,
            "percpu_usage": cpu.per_cpu,
        },
        "system_cpu_usage": reading.machine,
        "online_cpus": reading.processors,
        "throttling_data": {
            "periods": cpu.periods,
            "throttled_periods": cpu.throttled_periods,
            "throttled_time": cpu.throttled,
        },
    })
}

fn memory(stats: &Stats) -> Value {
    let memory = &stats.memory;
    json!({
        "usage": memory.usage,
        "max_usage": memory.max_usage,
        "limit": memory.limit.unwrap_or_else(crate::engine::stats::machine_memory),
        "failcnt": memory.failures,
        // Docker's clients take the cache off the usage: `total_inactive_file` with version 1, `inactive_file` with 2.
        "stats": {
            "cache": memory.cache,
            "inactive_file": memory.inactive_file,
            "total_inactive_file": memory.inactive_file,
            "swap": memory.swap,
        },
    })
}

fn block(stats: &Stats) -> Value {
    let entry = |major, minor, op, value| json!({ "major": major, "minor": minor, "op": op, "value": value });
    let each = |read: fn(&Block) -> u64, written: fn(&Block) -> u64| {
        stats
            .block
            .iter()
            .flat_map(|b| {
                [entry(b.major, b.minor, "read", read(b)), entry(b.major, b.minor, "write", written(b))]
            })
            .collect::<Vec<_>>()
    };
    json!({
        "io_service_bytes_recursive": each(|b| b.read_bytes, |b| b.written_bytes),
        "io_serviced_recursive": each(|b| b.reads, |b| b.writes),
    })
}
