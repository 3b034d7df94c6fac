//! Promise: nobody keeps more than is allowed, however many ask at once.

use super::client::Browser;
use super::support::{policy, start};
use hyper::StatusCode;

#[tokio::test(flavor = "multi_thread")]
async fn many_at_once_keep_no_more_than_is_allowed() {
    let serving = start(policy()).await;
    let mut visitor = Browser::new(serving.address);
    let (id, _) = visitor.session().await;
    let path = format!("/api/v1/sessions/{id}/commit");
    let calls = (0..10).map(|_| {
        let (address, cookie, path) = (serving.address, visitor.cookie.clone(), path.clone());
        tokio::spawn(async move {
            let mut same = Browser::new(address);
            same.cookie = cookie;
            same.call("POST", &path, "").await.status
        })
    });
    let (mut kept, mut refused) = (0, 0);
    for call in calls.collect::<Vec<_>>() {
        match call.await.unwrap() {
            StatusCode::CREATED => kept += 1,
            StatusCode::CONFLICT => refused += 1,
            other => panic!("{other}"),
        }
    }
    assert_eq!((kept, refused), (2, 8));
    let list = visitor.call("GET", "/api/v1/kept", "").await.body;
    let works = list.as_array().unwrap();
    assert_eq!(
        (works.len(), &works[0]["title"], &works[0]["size_bytes"]),
        (2, &"A shell".into(), &1000.into())
    );
    // One that goes makes room for one.
    let work = format!("/api/v1/kept/{}", works[0]["id"].as_str().unwrap());
    assert_eq!(visitor.call("DELETE", &work, "").await.status, StatusCode::NO_CONTENT);
    assert_eq!(visitor.call("DELETE", &work, "").await.status, StatusCode::NOT_FOUND);
    assert_eq!(
        visitor.call("POST", &path, "{\"title\":\"\\u0007 Mine \"}").await.status,
        StatusCode::CREATED
    );
    assert_eq!(visitor.call("POST", &path, "{\"name\":1}").await.status, StatusCode::UNPROCESSABLE_ENTITY);
}
