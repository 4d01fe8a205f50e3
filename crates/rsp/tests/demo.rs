//! The demo, a short one, and what it leaves behind: nothing.

mod support;

use support::rsp;

#[test]
fn every_session_goes_on_to_the_end() {
    let output = rsp(&["demo", "--seconds", "12", "--json"])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}\n{shown}");
    let last: serde_json::Value = serde_json::from_str(shown.lines().last().unwrap()).unwrap();
    let summary = &last["summary"];
    assert_eq!(summary["lost_sessions"], 0, "{last}");
    let sessions = summary["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 6, "{last}");
    let failovers: u64 = sessions
        .iter()
        .map(|s| s["failovers"].as_u64().unwrap())
        .sum();
    assert!(failovers > 0, "{last}");
    assert!(
        sessions
            .iter()
            .all(|session| session["answers"].as_u64() > Some(10)),
        "{last}"
    );
    let faults = summary["faults"].as_array().unwrap();
    let kinds: Vec<&str> = faults
        .iter()
        .map(|fault| fault["was"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["killed", "stopped", "hanging"]);
    assert_eq!(summary["registrars_agree"], true, "{last}");
    let registrar = &summary["registrars"][0];
    for figure in ["noticed_ms", "rehomed_ms", "initialized_ms", "agreed_ms"] {
        assert!(registrar[figure].is_number(), "{figure}: {registrar}");
    }
    assert!(registrar["owned"].as_u64() > Some(0), "{registrar}");
    for fault in faults {
        assert!(
            fault["removed_ms"].is_number(),
            "a subscriber sees it gone: {fault}"
        );
    }
}
