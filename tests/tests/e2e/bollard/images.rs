//! Images: a registry, builds, archives, names, what they are made of.

use super::{IMAGE, client, refusal, run, script, whole};
use bollard::models::ContainerConfig;
use bollard::query_parameters::*;
use futures_util::{StreamExt, TryStreamExt};
use sandlot_tests::process::run as finished;
use sandlot_tests::registry::Registry;
use sandlot_tests::sandbox::Sandbox;
use std::collections::HashMap;
use std::process::Command;

#[tokio::test]
async fn bollard_pushes_pulls_and_removes() {
    let sandbox = Sandbox::engine().await.unwrap();
    let registry = Registry::start().await.unwrap();
    let client = client(&sandbox).await;
    let name = format!("{}/shop/app", registry.host());
    let tag = TagImageOptionsBuilder::new().repo(&name).tag("1").build();
    client.tag_image(IMAGE, Some(tag)).await.unwrap();
    let options = PushImageOptionsBuilder::new().tag("1").build();
    let said: Vec<_> = client.push_image(&name, Some(options), None).try_collect().await.unwrap();
    assert!(
        said.iter().any(|line| line.status.as_ref().is_some_and(|s| s.contains("digest: sha256:"))),
        "{said:?}"
    );
    let full = format!("{name}:1");
    let seen = client.inspect_registry_image(&full, None).await.unwrap();
    let digest = seen.descriptor.digest.unwrap();
    let removed = client.remove_image(&full, None::<RemoveImageOptions>, None).await.unwrap();
    assert_eq!(removed[0].untagged.as_deref(), Some(full.as_str()));
    let options = CreateImageOptionsBuilder::new().from_image(&name).tag("1").build();
    let said: Vec<_> = client.create_image(Some(options), None, None).try_collect().await.unwrap();
    let last = said.last().unwrap().status.clone().unwrap();
    assert_eq!(last, format!("Status: Downloaded newer image for {full}"));
    let pulled = client.inspect_image(&full).await.unwrap();
    assert!(pulled.repo_digests.unwrap().contains(&format!("{name}@{digest}")));
    let options = CreateImageOptionsBuilder::new().from_image(&name).tag("nobody").build();
    let failed = client.create_image(Some(options), None, None).try_collect::<Vec<_>>().await;
    assert_eq!(refusal(failed).0, 404);
    let (status, words) =
        refusal(client.search_images(SearchImagesOptionsBuilder::new().term("x").build()).await);
    assert!(status == 400 && words.contains("searching is refused"), "{status} {words}");
}

#[tokio::test]
async fn bollard_builds_and_commits() {
    let sandbox = Sandbox::engine().await.unwrap();
    let client = client(&sandbox).await;
    let folder = sandbox.dir().join("context");
    std::fs::create_dir(&folder).unwrap();
    let file = format!("FROM {IMAGE}\nARG COLOUR\nRUN echo it is $COLOUR > /colour\nLABEL kind=built\n");
    std::fs::write(folder.join("Dockerfile"), file).unwrap();
    let context =
        finished(Command::new("tar").arg("-C").arg(&folder).args(["--create", "."])).unwrap().stdout;
    let arguments = HashMap::from([("COLOUR", "blue")]);
    let options = BuildImageOptionsBuilder::new().t("built:1").buildargs(&arguments).rm(true).build();
    let lines = client.build_image(options, None, Some(bollard::body_full(context.into())));
    let said: Vec<String> = lines.map(|line| line.unwrap().stream.unwrap_or_default()).collect().await;
    assert!(said.concat().contains("Successfully tagged built:1"), "{said:?}");
    let filters = HashMap::from([("label", vec!["kind=built"])]);
    let listed =
        client.list_images(Some(ListImagesOptionsBuilder::new().filters(&filters).build())).await.unwrap();
    assert_eq!(listed[0].repo_tags, ["built:1"]);
    let history = client.image_history("built:1").await.unwrap();
    assert!(history[0].created_by.contains("LABEL kind=built"), "{history:?}");
    let broken = folder.join("broken");
    std::fs::create_dir(&broken).unwrap();
    std::fs::write(broken.join("Dockerfile"), format!("FROM {IMAGE}\nRUN exit 7\n")).unwrap();
    let context =
        finished(Command::new("tar").arg("-C").arg(&broken).args(["--create", "."])).unwrap().stdout;
    let body = bollard::body_full(context.into());
    let failed =
        client.build_image(BuildImageOptions::default(), None, Some(body)).try_collect::<Vec<_>>().await;
    assert!(failed.unwrap_err().to_string().contains("returned a non-zero code: 7"));
    run(&client, "box", script("echo kept > /file; exec sleep 1000")).await;
    let options =
        CommitContainerOptionsBuilder::new().container("box").repo("kept").tag("1").comment("why").build();
    let config = ContainerConfig { env: Some(vec!["A=b".into()]), ..ContainerConfig::default() };
    let id = client.commit_container(options, config).await.unwrap().id;
    let seen = client.inspect_image("kept:1").await.unwrap();
    assert_eq!((seen.id, seen.comment.as_deref()), (Some(id), Some("why")));
    assert!(seen.config.unwrap().env.unwrap().contains(&"A=b".to_owned()));
    client.prune_build(None::<PruneBuildOptions>).await.unwrap();
}

#[tokio::test]
async fn bollard_saves_loads_and_prunes() {
    let sandbox = Sandbox::engine().await.unwrap();
    let client = client(&sandbox).await;
    for name in ["one", "two"] {
        let tag = TagImageOptionsBuilder::new().repo(name).tag("1").build();
        client.tag_image(IMAGE, Some(tag)).await.unwrap();
    }
    let one = whole(client.export_image("one:1")).await;
    let both = whole(client.export_images(&["one:1", "two:1"])).await;
    assert!(!one.is_empty() && !both.is_empty());
    for name in ["one:1", "two:1"] {
        client.remove_image(name, None::<RemoveImageOptions>, None).await.unwrap();
    }
    let body = bollard::body_full(both.into());
    let said: Vec<_> =
        client.import_image(ImportImageOptions::default(), body, None).try_collect().await.unwrap();
    let said: String = said.into_iter().filter_map(|line| line.stream).collect();
    assert!(said.contains("Loaded image: one:1") && said.contains("Loaded image: two:1"), "{said}");
    let conflict = client.inspect_image("nobody").await;
    assert_eq!(refusal(conflict), (404, "No such image: nobody:latest".to_owned()));
    let pruned = client.prune_images(None::<PruneImagesOptions>).await.unwrap();
    assert_eq!(pruned.space_reclaimed, Some(0), "every image has a name");
}
