//! Sessions that keep their state in cookies resume it at another element.

use super::{Run, Scenario, every};
use crate::interop::Failure;
use crate::interop::program::Program;
use crate::interop::side::{Element, Part, Registrar, Side, rsplib, values};
use std::time::{Duration, Instant};

pub(super) const SCENARIO: Scenario = Scenario {
    id: "5",
    name: "cookies: ping-pong and calculations resume",
    roles: &["registrar", "element", "user"],
    casts: || every(3),
    judge: None,
    paths: 1,
    play,
};

const PATIENCE: Duration = Duration::from_secs(30);
/// A job, in calculations: what the first element needs long for, and the second one not.
const JOB: &str = "20000000";
/// The size of a job that is worth a kill: those of rsplib's user vary.
const LONG: f64 = 1e7;
/// Calculations a second of the first element, and of the second one.
const CAPACITIES: [&str; 2] = ["1000000", "10000000"];
/// How long a job is worked on before its element is killed: some of it is in a cookie then.
const WORK: Duration = Duration::from_secs(1);

/// What a service is called by each side's elements.
struct Service {
    pool: &'static str,
    ours: &'static str,
    theirs: &'static str,
}

const PING_PONG: Service = Service {
    pool: "PingPongPool",
    ours: "ping-pong",
    theirs: "pingpong",
};
const CALCULATION: Service = Service {
    pool: "CalcAppPool",
    ours: "calc",
    theirs: "calcapp",
};

fn play(run: &Run) -> Result<String, Failure> {
    let [registrar, element, user] = run.cast()?;
    let node = run.node("r", registrar)?;
    let registrar = Registrar::start(registrar, &node, &[], &[], &run.stage)?;
    registrar.ready()?;
    let pings = ping_pong(run, element, user, &registrar)?;
    let job = calculation(run, element, user, &registrar)?;
    Ok(format!("{pings}; {job}"))
}

/// Replies are numbered by the state in the cookie: they go on at the other element.
fn ping_pong(
    run: &Run,
    element: Side,
    user: Side,
    registrar: &Registrar,
) -> Result<String, Failure> {
    let start = |id| start(run, element, registrar, &PING_PONG, id, &[]);
    let mut elements = [start(1)?, start(2)?];
    elements.iter().try_for_each(Element::ready)?;
    let words = match user {
        Side::Ours | Side::Udp => connect(run, user, &PING_PONG, &["--every-ms", "100"]),
        Side::Rsplib => rsplib("pingpongclient", &["-interval=100".to_owned()]),
    };
    let user = start_user(run, user, "ping", words, registrar)?;
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
    // rsplib's element gives a cookie now and then; ours with each reply.
    if first.number <= last.number / 2 {
        return Err(Failure::Check(format!(
            "after reply {} of {} came reply {} of {}: its state is lost",
            last.number, last.element, first.number, first.element
        )));
    }
    let (last, first) = (last.number, first.number);
    Ok(format!("ping-pong goes on at reply {first} after {last}"))
}

/// A job is done once, by two elements one after the other: the second one comes when the first
/// is at work.
fn calculation(
    run: &Run,
    element: Side,
    side: Side,
    registrar: &Registrar,
) -> Result<String, Failure> {
    let start = |id: u32, capacity| {
        let more = calculator(element, capacity);
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        let element = start(run, element, registrar, &CALCULATION, id, &more)?;
        element.ready()?;
        Ok::<_, Failure>(element)
    };
    let mut first = start(1, CAPACITIES[0])?;
    let user = start_user(run, side, "calc", calculating(run, side), registrar)?;
    let job = user.wait_until("long job", 2 * PATIENCE, |lines| long_job(side, lines))?;
    let _second = start(2, CAPACITIES[1])?;
    std::thread::sleep(WORK);
    first.program.kill();
    let killed = Instant::now();
    match side {
        Side::Ours | Side::Udp => {
            user.wait_for("\"cookie_echoed\":true", PATIENCE)?;
            user.wait_for("\"event\":\"answer\"", PATIENCE)?;
        }
        Side::Rsplib => {
            user.wait_for("FAILOVER", PATIENCE)?;
            user.wait_for(&format!("Job #{job} completed"), PATIENCE)?;
        }
    }
    let seconds = killed.elapsed().as_secs_f64();
    Ok(format!(
        "a calculation is done {seconds:.1} s after its element was killed"
    ))
}

/// What an element is told that does so many calculations a second.
fn calculator(side: Side, capacity: &str) -> Vec<String> {
    match side {
        Side::Ours | Side::Udp => ["--capacity", capacity].map(str::to_owned).to_vec(),
        Side::Rsplib => vec![
            format!("-capcapacity={capacity}"),
            "-capcookiemaxtime=0.5".to_owned(),
            "-capcookiemaxcalculations=5e5".to_owned(),
        ],
    }
}

/// A user that has one job after the other.
fn calculating(run: &Run, side: Side) -> Vec<String> {
    if side.is_ours() {
        let more = ["--every-ms", "100", "--job-size", JOB];
        return connect(run, side, &CALCULATION, &more);
    }
    let file = |name: &str| run.stage.folder.join(name).display().to_string();
    let arguments = [
        format!("-jobsize={JOB}"),
        "-jobinterval=2".to_owned(),
        format!("-vector={}", file("calc.vec")),
        format!("-scalar={}", file("calc.sca")),
    ];
    rsplib("calcappclient", &arguments)
}

/// A job that an element works on: ours have one size.
fn long_job(side: Side, lines: &[(Instant, String)]) -> Option<u32> {
    if side == Side::Rsplib {
        return accepted_last(lines);
    }
    let is_connected = |line: &(Instant, String)| line.1.contains("\"event\":\"connected\"");
    lines.iter().any(is_connected).then_some(1)
}

/// The number of the job of rsplib's user that was accepted last, if it is a long one.
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

/// An element on a node of its own.
fn start(
    run: &Run,
    side: Side,
    registrar: &Registrar,
    service: &Service,
    id: u32,
    more: &[&str],
) -> Result<Element, Failure> {
    let name = if side.is_ours() {
        service.ours
    } else {
        service.theirs
    };
    let node = run.node(&format!("{}{id}", service.theirs), side)?;
    let mut part = Part::echo(service.pool, id);
    part.service = name;
    part.more = more;
    Element::start(side, &node, &part, &[registrar], &run.stage)
}

/// Our user of a service.
fn connect(run: &Run, side: Side, service: &Service, more: &[&str]) -> Vec<String> {
    let connect = ["connect", service.pool, "--json", "--no-multicast"];
    let mut words = run.stage.ours(side, &connect);
    words.extend(["--service", service.ours].map(str::to_owned));
    words.extend(more.iter().map(|&word| word.to_owned()));
    words
}

fn start_user(
    run: &Run,
    side: Side,
    name: &str,
    mut words: Vec<String>,
    registrar: &Registrar,
) -> Result<Program, Failure> {
    let node = run.node(name, side)?;
    run.stage.prepare_kernel(side, &node)?;
    words.extend(registrar.option(side));
    Program::start(&node, name, &words, &run.stage.folder)
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

fn reply((_, line): &(Instant, String)) -> Option<Reply> {
    reply_to_ours(line).or_else(|| reply_to_rsplib(line))
}

/// `"pool_element":"0x00000001"`, `"answer":"pong 12, answer 12"`
fn reply_to_ours(line: &str) -> Option<Reply> {
    let (_, number) = values(line, "answer").first()?.split_once(", answer ")?;
    Some(Reply {
        element: (*values(line, "pool_element").first()?).to_owned(),
        number: number.parse().ok()?,
    })
}

/// `Ack #12 from PE $00000001 (reply #12)`
fn reply_to_rsplib(line: &str) -> Option<Reply> {
    let (_, rest) = line.split_once("from PE $")?;
    let (id, rest) = rest.split_once(" (reply #")?;
    let (number, _) = rest.split_once(')')?;
    Some(Reply {
        element: format!("0x{id}"),
        number: number.parse().ok()?,
    })
}
