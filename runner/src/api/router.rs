//! Which call goes where.

use super::policy::Policy;
use super::{
    attach, browse, build, checkpoints, containers, events, exec, files, image_list, images, info, inspect,
    list, logs, networks, policy, removal, run, sandlot, save, stats, system, transfer, unknown, volumes,
};
use crate::engine::Engine;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{delete, get, post};

/// The longest JSON body; archives are streamed and have limits of their own.
const BODY: usize = 4 << 20;

/// All calls.
pub(super) fn router(engine: Engine, policy: Policy) -> Router {
    Router::new()
        .merge(system_routes())
        .merge(container_routes())
        .merge(sandlot_routes())
        .fallback(unknown::unknown)
        .method_not_allowed_fallback(unknown::unknown)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(axum::middleware::from_fn_with_state((engine.clone(), policy), policy::enforce))
        .layer(axum::middleware::map_response(system::headers))
        .with_state(engine)
}

fn system_routes() -> Router<Engine> {
    Router::new()
        .route("/_ping", get(system::ping))
        .route("/plugins", get(system::plugins))
        .route("/version", get(info::version))
        .route("/info", get(info::info))
        .route("/auth", post(system::auth))
        .route("/events", get(events::events))
        .route("/system/df", get(system::disk_usage))
        .route("/images/json", get(image_list::list))
        .route("/images/create", post(transfer::create))
        .route("/images/load", post(transfer::load))
        .route("/images/get", get(save::several))
        .route("/images/prune", post(removal::prune))
        .route("/images/search", get(images::search))
        .route("/distribution/{*name}", get(transfer::distribution))
        .route("/commit", post(files::commit))
        .route("/build", post(build::build))
        .route("/build/cancel", post(build::cancel))
        .route("/build/prune", post(build::prune))
        .route("/images/{*name}", get(images::get).post(images::post).delete(removal::remove))
        .route("/networks", get(networks::list))
        .route("/networks/create", post(networks::create))
        .route("/networks/prune", post(networks::prune))
        .route("/networks/{id}", get(networks::inspect).delete(networks::remove))
        .route("/networks/{id}/connect", post(networks::connect))
        .route("/networks/{id}/disconnect", post(networks::disconnect))
        .route("/volumes", get(volumes::list))
        .route("/volumes/create", post(volumes::create))
        .route("/volumes/prune", post(volumes::prune))
        .route("/volumes/{name}", get(volumes::inspect).delete(volumes::remove))
}

fn container_routes() -> Router<Engine> {
    Router::new()
        .route("/containers/json", get(list::list))
        .route("/containers/create", post(containers::create))
        .route("/containers/prune", post(containers::prune))
        .route("/containers/{id}", delete(containers::remove))
        .route("/containers/{id}/json", get(inspect::inspect))
        .route("/containers/{id}/start", post(containers::start))
        .route("/containers/{id}/checkpoints", get(checkpoints::list).post(checkpoints::create))
        .route("/containers/{id}/checkpoints/{checkpoint}", delete(checkpoints::remove))
        .route("/containers/{id}/stop", post(containers::stop))
        .route("/containers/{id}/restart", post(containers::restart))
        .route("/containers/{id}/kill", post(containers::kill))
        .route("/containers/{id}/pause", post(containers::pause))
        .route("/containers/{id}/unpause", post(containers::unpause))
        .route("/containers/{id}/rename", post(containers::rename))
        .route("/containers/{id}/update", post(containers::update))
        .route("/containers/{id}/wait", post(containers::wait))
        .route("/containers/{id}/resize", post(containers::resize))
        .route("/containers/{id}/top", get(containers::top))
        .route("/containers/{id}/attach", post(attach::attach))
        .route("/containers/{id}/attach/ws", get(attach::attach_by_socket))
        .route("/containers/{id}/logs", get(logs::logs))
        .route("/containers/{id}/stats", get(stats::stats))
        .route("/containers/{id}/archive", get(files::get).put(files::put))
        .route("/containers/{id}/changes", get(files::changes))
        .route("/containers/{id}/export", get(files::export))
        .route("/containers/{id}/exec", post(exec::create))
        .route("/exec/{id}/start", post(exec::start))
        .route("/exec/{id}/resize", post(exec::resize))
        .route("/exec/{id}/json", get(exec::inspect))
}

fn sandlot_routes() -> Router<Engine> {
    let path = |rest: &str| format!("{}/containers/{{id}}/{rest}", sandlot_wire::PREFIX);
    Router::new()
        .route(&path("terminals"), get(sandlot::list).post(sandlot::open))
        .route(&path("terminals/{terminal}"), delete(sandlot::close))
        .route(&path("terminals/{terminal}/take"), post(sandlot::take))
        .route(&path("terminals/{terminal}/wait"), get(sandlot::wait))
        .route(&path("files"), get(browse::get).put(browse::put).post(browse::rename).delete(browse::delete))
        .route(&path("files/changes"), get(browse::changes))
        .route(&path("ports"), get(sandlot::ports))
        .route(&path("dial"), post(sandlot::dial))
        .route(&path("listen"), post(sandlot::listen))
        .route(&path("keep"), post(sandlot::keep))
        .route(&path("script"), post(sandlot::script))
        .route(&format!("{}/kept/{{name}}", sandlot_wire::PREFIX), delete(sandlot::forget))
        .route(&path("meter"), get(sandlot::meter))
        .route(&format!("{}/meters", sandlot_wire::PREFIX), get(sandlot::meters))
        .route(&sandlot_wire::run::path(), post(run::run))
}

#[cfg(test)]
mod tests {
    /// The methods of a route: `get(…).post(…)` stands on its line.
    fn methods(rest: &str) -> Vec<String> {
        let line = rest.lines().next().unwrap_or_default();
        ["get", "post", "put", "delete"]
            .into_iter()
            .filter(|m| line.contains(&format!("{m}(")))
            .map(str::to_uppercase)
            .collect()
    }

    /// Whether a call of the table, as Docker writes it, is one of a route's.
    fn takes(route: &str, call: &str) -> bool {
        match route.split_once("/{*") {
            Some((before, _)) => call.strip_prefix(before).is_some_and(|rest| rest.starts_with("/{")),
            None => route == call,
        }
    }

    #[test]
    fn the_document_lists_every_route() {
        let (document, source) = (include_str!("../../../docs/docker-api.md"), include_str!("router.rs"));
        let product = source.split("#[cfg(test)]").next().unwrap_or_default();
        let calls: Vec<(&str, &str)> = document
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.split_once("` |")?.0.split_once(' '))
            .collect();
        let mut missing = Vec::new();
        for (route, rest) in product.split(".route(\"").skip(1).filter_map(|rest| rest.split_once('"')) {
            for method in methods(rest) {
                if !calls.iter().any(|(m, call)| *m == method && takes(route, call)) {
                    missing.push(format!("{method} {route}"));
                }
            }
        }
        assert!(missing.is_empty(), "docs/docker-api.md does not list {missing:?}");
    }

    #[test]
    fn the_document_lists_our_own_calls() {
        let (document, source) = (include_str!("../../../docs/docker-api.md"), include_str!("router.rs"));
        let product = source.split("#[cfg(test)]").next().unwrap_or_default();
        let routes = product.split(".route(&path(\"").skip(1).filter_map(|rest| rest.split_once('"'));
        for (route, rest) in routes {
            for method in methods(rest) {
                let call = format!("`{method} …/{route}`");
                assert!(document.contains(&call), "docs/docker-api.md does not list {call}");
            }
        }
    }
}
