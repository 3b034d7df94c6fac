//! `GET /containers/{id}/stats`, in the form that `docker stats` reads.

use super::error::{Answer, Error};
use super::query::Parameters;
use crate::container::cgroup::{Block, Stats};
use crate::engine::stats::Reading;
use crate::engine::{self, Engine};
use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use serde_json::{Value, json};
use std::time::Duration;

/// How far two readings lie apart.
const PERIOD: Duration = Duration::from_secs(1);

/// Docker's "never".
const NEVER: &str = "0001-01-01T00:00:00Z";

/// The handler.
pub(super) async fn stats(
    State(engine): State<Engine>,
    Path(id): Path<String>,
    Query(p): Query<Parameters>,
) -> Answer {
    let container = engine.find(&id)?;
    let (id, name) = (container.id.clone(), container.name());
    let first = reading(&engine, &id)?;
    let json_body = |body| {
        Response::builder()
            .header(hyper::header::CONTENT_TYPE, "application/json")
            .body(body)
            .map_err(|e| Error::bad(e.to_string()))
    };
    if !p.on_by_default("stream") {
        let (before, now) = if p.on("one-shot") || first.is_none() {
            (None, first)
        } else {
            tokio::time::sleep(PERIOD).await;
            (first, reading(&engine, &id)?)
        };
        return json_body(Body::from(shape(&id, &name, now.as_ref(), before.as_ref()).to_string() + "\n"));
    }
    let states = futures_util::stream::unfold(Some((None, first)), move |last| {
        let (engine, id, name) = (engine.clone(), id.clone(), name.clone());
        async move {
            let (before, now) = last?;
            let text = shape(&id, &name, now.as_ref(), before.as_ref()).to_string() + "\n";
            tokio::time::sleep(PERIOD).await;
            // It is over when the container is gone.
            let next = reading(&engine, &id).ok().map(|next| (now, next));
            Some((Ok::<_, std::convert::Infallible>(text), next))
        }
    });
    json_body(Body::from_stream(states))
}

/// A reading; `None` of a container that does not run.
fn reading(engine: &Engine, id: &str) -> Answer<Option<Reading>> {
    match engine.stats(id) {
        Ok(reading) => Ok(Some(reading)),
        Err(engine::Error::Conflict(_)) => Ok(None),
        Err(other) => Err(other.into()),
    }
}

fn shape(id: &str, name: &str, now: Option<&Reading>, before: Option<&Reading>) -> Value {
    let mut all = json!({
        "id": id,
        "name": format!("/{name}"),
        "read": now.map_or_else(|| NEVER.to_owned(), |r| r.at.to_string()),
        "preread": before.map_or_else(|| NEVER.to_owned(), |r| r.at.to_string()),
        "num_procs": 0,
        "pids_stats": {},
        "cpu_stats": now.map_or_else(idle, cpu),
        "precpu_stats": before.map_or_else(idle, cpu),
        "memory_stats": {},
        "blkio_stats": block(now.map(|now| &now.stats)),
        "storage_stats": {},
    });
    let Some(now) = now else { return all };
    let pids = &now.stats.pids;
    all["pids_stats"] = json!({ "current": pids.current, "limit": pids.limit.unwrap_or(u64::MAX) });
    all["memory_stats"] = memory(&now.stats);
    let network = |n: &crate::engine::stats::Network| {
        json!({
            "rx_bytes": n.rx_bytes, "rx_packets": n.rx_packets, "rx_errors": 0, "rx_dropped": 0,
            "tx_bytes": n.tx_bytes, "tx_packets": n.tx_packets, "tx_errors": 0, "tx_dropped": 0,
        })
    };
    if !now.networks.is_empty() {
        all["networks"] = now.networks.iter().map(|n| (n.name.clone(), network(n))).collect();
    }
    all
}

/// The processor time of what does not run.
fn idle() -> Value {
    json!({
        "cpu_usage": { "total_usage": 0, "usage_in_kernelmode": 0, "usage_in_usermode": 0 },
        "throttling_data": { "periods": 0, "throttled_periods": 0, "throttled_time": 0 },
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

fn block(stats: Option<&Stats>) -> Value {
    let entry = |major, minor, op, value| json!({ "major": major, "minor": minor, "op": op, "value": value });
    let each = |read: fn(&Block) -> u64, written: fn(&Block) -> u64| {
        let two = |b: &Block| {
            [entry(b.major, b.minor, "read", read(b)), entry(b.major, b.minor, "write", written(b))]
        };
        stats.map(|s| s.block.iter().flat_map(two).collect::<Vec<_>>())
    };
    json!({
        "io_service_bytes_recursive": each(|b| b.read_bytes, |b| b.written_bytes),
        "io_serviced_recursive": each(|b| b.reads, |b| b.writes),
        "io_queue_recursive": null,
        "io_service_time_recursive": null,
        "io_wait_time_recursive": null,
        "io_merged_recursive": null,
        "io_time_recursive": null,
        "sectors_recursive": null,
    })
}
