//! Sessions that keep their state in cookies resume it at another element.

use super::{OURS, Run, Scenario};
use crate::interop::Failure;
use crate::interop::program::Program;
use crate::interop::side::{Element, Part, Registrar, Side, rsplib};
use std::time::{Duration, Instant};

pub(super) const SCENARIO: Scenario = Scenario {
    id: "5",
    name: "cookies: ping-pong and calculations resume",
    roles: &["registrar", "element", "user"],
    casts: || {
        [OURS, Side::Rsplib]
            .map(|side| vec![side, Side::Rsplib, Side::Rsplib])
            .to_vec()
    },
    judge: None,
    paths: 1,
    play,
};

const PATIENCE: Duration = Duration::from_secs(30);
/// A job, in calculations; an element does a million a second.
const JOB: &str = "5e6";
/// How long a job takes that is worth a kill: their sizes vary.
const LONG: f64 = 3e6;

fn play(run: &Run) -> Result<String, Failure> {
    let [registrar, element, user] = run.cast()?;
    if element.is_ours() || user.is_ours() {
        return Err(Failure::Check(
            "ours has neither service with cookies yet".to_owned(),
        ));
    }
    let node = run.node("r", registrar)?;
    let registrar = Registrar::start(registrar, &node, &[], &[], &run.stage)?;
    registrar.ready()?;
    let pings = ping_pong(run, element, &registrar)?;
    let job = calculation(run, element, &registrar)?;
    Ok(format!("{pings}; {job}"))
}

/// Replies are numbered by the state in the cookie: they go on at the other element.
fn ping_pong(run: &Run, side: Side, registrar: &Registrar) -> Result<String, Failure> {
    let mut elements = start(run, side, registrar, "pingpong", "PingPongPool", &[])?;
    let node = run.node("ping", Side::Rsplib)?;
    let mut words = rsplib("pingpongclient", &["-interval=100".to_owned()]);
    words.extend(registrar.option(Side::Rsplib));
    let user = Program::start(&node, "ping", &words, &run.stage.folder)?;
    let begun = |lines: &[(Instant, String)]| lines.iter().filter_map(reply).nth(20);
    let before = user.wait_until("20 replies", PATIENCE, begun)?;
    kill(&mut elements, &before.element)?;
    let resumed = |lines: &[(Instant, String)]| {
        let replies: Vec<Reply> = lines.iter().filter_map(reply).collect();
        let at = replies
            .iter()
            .position(|reply| reply.element != before.element)?;
        Some((replies[at - 1].clone(), replies[at].clone()))
    };
    let (last, first) = user.wait_until("reply of the other element", PATIENCE, resumed)?;
    if first.number <= last.number / 2 {
        return Err(Failure::Check(format!(
            "after reply {} of {} came reply {} of {}: its state is lost",
            last.number, last.element, first.number, first.element
        )));
    }
    let (last, first) = (last.number, first.number);
    Ok(format!("ping-pong goes on at reply {first} after {last}"))
}

/// A job is done once, by two elements one after the other.
fn calculation(run: &Run, side: Side, registrar: &Registrar) -> Result<String, Failure> {
    let options = [
        "-capcapacity=1e6",
        "-capcookiemaxtime=0.5",
        "-capcookiemaxcalculations=5e5",
    ];
    let mut elements = start(run, side, registrar, "calcapp", "CalcAppPool", &options)?;
    let node = run.node("calc", Side::Rsplib)?;
    let file = |name: &str| run.stage.folder.join(name).display().to_string();
    let arguments = [
        format!("-jobsize={JOB}"),
        "-jobinterval=2".to_owned(),
        format!("-vector={}", file("calc.vec")),
        format!("-scalar={}", file("calc.sca")),
    ];
    let mut words = rsplib("calcappclient", &arguments);
    words.extend(registrar.option(Side::Rsplib));
    let user = Program::start(&node, "calc", &words, &run.stage.folder)?;
    let job = user.wait_until("long job", 2 * PATIENCE, accepted_last)?;
    // Some of it is in a cookie then.
    std::thread::sleep(Duration::from_secs(1));
    let is_busy = |element: &&mut Element| {
        let count = |what| element.program.count(what);
        count("SESSION_ADD") > count("SESSION_REMOVE")
    };
    let busy = elements.iter_mut().find(is_busy);
    busy.ok_or_else(|| Failure::Check("nobody works".to_owned()))?
        .program
        .kill();
    let killed = Instant::now();
    user.wait_for("FAILOVER", PATIENCE)?;
    user.wait_for(&format!("Job #{job} completed"), PATIENCE)?;
    let seconds = killed.elapsed().as_secs_f64();
    Ok(format!(
        "a calculation is done {seconds:.1} s after its element was killed"
    ))
}

/// The number of the job that was accepted last, if it is a long one.
fn accepted_last(lines: &[(Instant, String)]) -> Option<u32> {
    let job =
        |line: &str| -> Option<u32> { line.split_once("ob #")?.1.split(' ').next()?.parse().ok() };
    let mut accepted = lines
        .iter()
        .rev()
        .filter(|line| line.1.contains("accepted"));
    let number = accepted.next().and_then(|line| job(&line.1))?;
    let asked = lines
        .iter()
        .find(|line| line.1.contains("(job size") && job(&line.1) == Some(number))?;
    let size = asked.1.split_once("(job size ")?.1.trim_end_matches(')');
    (size.parse::<f64>().ok()? >= LONG).then_some(number)
}

fn start(
    run: &Run,
    side: Side,
    registrar: &Registrar,
    service: &str,
    pool: &str,
    more: &[&str],
) -> Result<Vec<Element>, Failure> {
    let mut elements = Vec::new();
    for id in [1_u32, 2] {
        let node = run.node(&format!("{service}{id}"), side)?;
        let mut part = Part::echo(pool, id);
        part.service = service;
        part.more = more;
        elements.push(Element::start(
            side,
            &node,
            &part,
            &[registrar],
            &run.stage,
        )?);
    }
    elements.iter().try_for_each(Element::ready)?;
    Ok(elements)
}

fn kill(elements: &mut [Element], id: &str) -> Result<(), Failure> {
    let element = elements.iter_mut().find(|element| element.id == id);
    let element = element.ok_or_else(|| Failure::Check(format!("{id} is nobody's")))?;
    element.program.kill();
    Ok(())
}

/// A reply to a ping.
#[derive(Clone)]
struct Reply {
    element: String,
    /// How many replies the session has had, by the element's count.
    number: u64,
}

/// `Ack #12 from PE $00000001 (reply #12)`
fn reply((_, line): &(Instant, String)) -> Option<Reply> {
    let (_, rest) = line.split_once("from PE $")?;
    let (id, rest) = rest.split_once(" (reply #")?;
    let (number, _) = rest.split_once(')')?;
    Some(Reply {
        element: format!("0x{id}"),
        number: number.parse().ok()?,
    })
}
