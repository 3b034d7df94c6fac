//! The command line `sandlot` itself, against a real engine: what it prints, and what it ends with.

use sandlot_tests::sandbox::Sandbox;

const IMAGE: &str = "sandlot/starter";

#[tokio::test]
async fn a_container_starts_again_and_keeps_what_it_wrote() {
    let sandbox = Sandbox::engine().await.unwrap();
    let script = "[ -e /root/seen ] && echo again; echo 1 > /root/seen";
    for flags in [&[][..], &["--storage-opt", "size=32m"]] {
        let mut run = vec!["run", "--name", "limited"];
        run.extend(flags);
        run.extend([IMAGE, "sh", "-c", script]);
        assert_eq!(sandbox.sandlot(&run).unwrap(), "");
        assert_eq!(sandbox.sandlot(&["start", "-a", "limited"]).unwrap(), "again", "{flags:?}");
        sandbox.sandlot(&["rm", "limited"]).unwrap();
    }
}
