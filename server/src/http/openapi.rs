//! The description of the HTTP API, made from the routes' own annotations.

use super::{
    audit, body, courses, events, file_changes, files, health, kept, lab_sessions, pool, ports, recordings,
    registry, sessions, shares, socket,
};
use axum::Json;
use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    info(title = "Sandlot", description = "Sessions and terminals of the playground."),
    paths(
        sessions::create,
        sessions::list,
        sessions::get,
        sessions::end,
        events::follow,
        sessions::pause,
        sessions::unpause,
        sessions::extend,
        sessions::reset,
        sessions::stats,
        kept::keep,
        kept::list,
        kept::forget,
        sessions::open_terminal,
        sessions::close_terminal,
        files::get,
        files::put,
        files::rename,
        files::delete,
        file_changes::follow,
        ports::list,
        courses::list,
        courses::course,
        courses::lab,
        courses::answer,
        courses::read,
        courses::slides,
        courses::file,
        courses::progress,
        lab_sessions::get,
        lab_sessions::check,
        lab_sessions::open,
        lab_sessions::solve,
        lab_sessions::back,
        sessions::images,
        sessions::me,
        audit::look,
        pool::look,
        pool::warm,
        health::info,
        socket::attach,
        shares::create,
        shares::list,
        shares::revoke,
        recordings::list,
        recordings::search,
        recordings::cast,
        recordings::remove,
        recordings::mark,
        registry::look
    ),
    components(schemas(body::Problem))
)]
struct Api;

/// OpenAPI's JSON.
pub(super) async fn describe() -> Json<utoipa::openapi::OpenApi> {
    Json(Api::openapi())
}
