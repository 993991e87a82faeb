//! The metrics that the run of a script sends to statsd.

use std::{net::UdpSocket, time::Duration};

use molotov_tests::Output;

use super::Scripts;

#[test]
fn statsd_receives_every_request_and_the_metrics_of_scripts() {
    let script = r#"
import os
import molotov
@molotov.scenario()
async def one(session):
    async with session.get(os.environ["TARGET"] + "/ok/a%20b") as response:
        await response.read()
    statsd = molotov.get_context(session).statsd
    if "--statsd" not in os.environ["LINE"]:
        assert statsd is None
        return
    statsd.increment("bought", value=2)
    statsd.incr("seen")
    statsd.decrement("stock")
    statsd.gauge("load", value=3.5, tags={"a": "b"})
    statsd.timing("took", value=12.5)
    statsd.histogram("size", value=3)
    with statsd.timeit("block"):
        pass
    await statsd.timeit_task(response.text(), "task")
    statsd.increment("odd:na|me", value=1, tags={"x|y": "1,2"})
"#;
    for (line, runs) in [("-w 2 -r 10 -q", 20), ("-p 2 -w 2 -r 10 -q", 40)] {
        let scripts = Scripts::new(&[("loadtest.py", script)]);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        let line = format!("{line} --statsd --statsd-address udp://{}", socket.local_addr().unwrap());
        scripts.program(&line).env("LINE", &line).run().exited(0);
        let (mut packet, mut text) = ([0; 65_536], String::new());
        // The program has ended, so the socket has received all of its metrics.
        while let Ok(length) = socket.recv(&mut packet) {
            text.push_str(std::str::from_utf8(&packet[..length]).unwrap().trim_end());
            text.push('\n');
        }
        let count = |line: &str| text.lines().filter(|one| *one == line).count();
        for metric in [
            "bought:2|c",
            "seen:1|c",
            "stock:-1|c",
            "load:3.5|g|#a:b",
            "took:12.5|ms",
            "size:3|h",
            "odd_na_me:1|c|#x_y:1_2",
        ] {
            assert_eq!(count(metric), runs, "{metric}: {text}");
        }
        let ends = |end: &str| text.lines().filter(|line| line.starts_with("molotov.") && line.ends_with(end)).count();
        assert_eq!((ends(".GET.127.0.0.1./ok/a_b.200:1|c"), ends("|ms")), (runs, runs), "{text}");
        let starts = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!((starts("block:"), starts("task:")), (runs, runs), "{text}");
        assert_eq!(scripts.server.served() as usize, runs);
    }
    let scripts = Scripts::new(&[("loadtest.py", script)]);
    let output: Output = scripts.program("-r 1 -q -f 1").env("LINE", "").run();
    assert_eq!(output.code, Some(0), "{output:#?}");
}
