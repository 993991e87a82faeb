//! Tests of what is named as the bottleneck.

use super::*;

const TEN: Duration = Duration::from_secs(10);

fn ms(millis: f64) -> Duration {
    Duration::from_secs_f64(millis / 1e3)
}

/// A hundred times this long.
fn all(millis: f64) -> Histogram {
    [ms(millis); 100].into_iter().collect()
}

/// Ten seconds of a thread on a machine of two CPUs, both a tenth busy.
fn idle() -> Health {
    Health {
        threads_wall: TEN,
        threads_cpu: ms(1_000.0),
        process_cpu: ms(1_200.0),
        process_wall: TEN,
        lag: all(1.4),
        machine: Machine { busy: ms(2_000.0), stolen: Duration::ZERO, total: TEN * 2 },
        ..Health::default()
    }
}

#[track_caller]
fn judged(health: &Health, measured: f64, bottleneck: Bottleneck, advice: &str) {
    let measured = all(measured);
    assert_eq!(health.bottleneck(&measured), Some(bottleneck));
    let text = health.advice("requests", &measured).unwrap();
    assert_eq!(text, format!("The load generator was the bottleneck: {advice}."));
}

#[test]
fn an_idle_generator_is_no_bottleneck() {
    for measured in [all(0.1), all(1.0), all(500.0), Histogram::default()] {
        assert_eq!((idle().bottleneck(&measured), idle().advice("requests", &measured)), (None, None));
    }
}

#[test]
fn busy_threads_are_the_bottleneck() {
    let busy = Health { threads_cpu: TEN, saturated: ms(6_000.0), ..idle() };
    let advice = "its threads were busy 100 % of the time; use more threads, processes or machines, or fewer workers";
    judged(&busy, 20.0, Bottleneck::Cpu, advice);
    let short = Health { threads_wall: ms(200.0), ..busy };
    assert_eq!(short.bottleneck(&all(20.0)), None, "too short to judge");
}

/// The generator and the service share two CPUs: a lag of 18 ms, requests of 4.5 ms, and threads that are half busy.
#[test]
fn a_machine_shared_with_the_service_is_the_bottleneck() {
    let shared = Health {
        threads_cpu: ms(10_000.0),
        threads_delay: ms(7_000.0),
        threads_wall: TEN * 2,
        process_cpu: ms(10_400.0),
        lag: all(18.0),
        machine: Machine { busy: ms(19_600.0), stolen: Duration::ZERO, total: TEN * 2 },
        ..idle()
    };
    let advice = "its event loop ran up to 18 ms late (p95), where requests took 4.5 ms (p95), while the machine's CPUs \
                  were 98 % busy, 46 % with other programs; run the service and everything else on another machine";
    judged(&shared, 4.5, Bottleneck::Machine, advice);

    let alone = Health { process_cpu: ms(19_000.0), ..shared.clone() };
    let advice = "its event loop ran up to 18 ms late (p95), where requests took 4.5 ms (p95), while the machine's CPUs \
                  were 98 % busy with the load itself; use a larger machine, or fewer workers";
    judged(&alone, 4.5, Bottleneck::Machine, advice);
    let running = Health { threads_delay: ms(1_500.0), ..shared.clone() };
    assert_eq!(running.bottleneck(&all(4.5)), Some(Bottleneck::Machine));
    assert_eq!(running.bottleneck(&all(100.0)), None, "18 ms are little compared with 100 ms");
    assert_eq!(shared.bottleneck(&all(100.0)), Some(Bottleneck::Machine), "threads waited nearly as long as they ran");
    assert!(shared.delays(&all(4.5)) && !shared.delays(&all(100.0)), "it does not distort 100 ms");

    let pinned = Health { machine: idle().machine, ..shared.clone() };
    let advice = "its event loop ran up to 18 ms late (p95), where requests took 4.5 ms (p95), since its threads waited \
                  for a CPU 35 % of the time; give it more CPUs (taskset, cpuset), or use fewer threads and processes";
    judged(&pinned, 4.5, Bottleneck::CpuWait, advice);

    let machine = Machine { stolen: ms(2_400.0), ..shared.machine };
    let advice = "its event loop ran up to 18 ms late (p95), where requests took 4.5 ms (p95), while the hypervisor gave \
                  12 % of the machine's CPU time to other virtual machines; use a machine with dedicated CPUs";
    judged(&Health { machine, ..shared }, 4.5, Bottleneck::Steal, advice);
}

/// Two processes on a machine that the service fills: their loops are 6 ms late, of the 35 ms that a request takes.
fn crowded() -> Health {
    Health {
        threads_cpu: ms(1_410.0),
        threads_delay: ms(2_056.0),
        threads_wall: TEN,
        process_cpu: ms(1_450.0),
        lag: all(6.0),
        machine: Machine { busy: TEN * 2, stolen: Duration::ZERO, total: TEN * 2 },
        ..idle()
    }
}

#[test]
fn threads_that_wait_longer_than_they_run_are_the_bottleneck() {
    let advice = "its threads waited for a CPU 21 % of the time, while the machine's CPUs were 100 % busy, 93 % with other \
                  programs; run the service and everything else on another machine";
    judged(&crowded(), 35.3, Bottleneck::Machine, advice);

    let pinned = Health { machine: idle().machine, ..crowded() };
    let advice = "its threads waited for a CPU 21 % of the time; give it more CPUs (taskset, cpuset), or use fewer threads \
                  and processes";
    judged(&pinned, 35.3, Bottleneck::CpuWait, advice);

    let seldom = Health { threads_delay: ms(900.0), ..crowded() };
    assert_eq!(seldom.bottleneck(&all(35.3)), None, "9 % of the time is little");
    let busy = Health { threads_cpu: ms(7_000.0), ..crowded() };
    assert_eq!(busy.bottleneck(&all(35.3)), None, "the threads ran most of the time that they wanted to");
}

/// Some systems do not report how long threads wait, but count how often they are preempted.
#[test]
fn preempted_threads_are_the_bottleneck() {
    let preempted = Health { threads_delay: Duration::ZERO, preemptions: 1_200, ..crowded() };
    let machine = Machine::default();
    let advice = "its event loop ran up to 6 ms late (p95), where requests took 9 ms (p95), since its threads were \
                  preempted 120 times a second; give it more CPUs (taskset, cpuset), or use fewer threads and processes";
    judged(&Health { machine, ..preempted.clone() }, 9.0, Bottleneck::CpuWait, advice);
    let idle = Health { preemptions: 100, machine, ..preempted };
    assert_eq!(idle.bottleneck(&all(9.0)), Some(Bottleneck::Lag), "10 preemptions a second are usual");
}

#[test]
fn a_hypervisor_that_takes_much_time_is_the_bottleneck() {
    let machine = Machine { stolen: ms(3_000.0), ..idle().machine };
    let advice = "the hypervisor gave 15 % of the machine's CPU time to other virtual machines; use a machine with \
                  dedicated CPUs";
    judged(&Health { machine, ..idle() }, 35.0, Bottleneck::Steal, advice);
    let machine = Machine { stolen: ms(1_200.0), ..idle().machine };
    assert_eq!(Health { machine, ..idle() }.bottleneck(&all(35.0)), None, "6 % matter only if loops are late");
}

/// A quota of 30 %: samples show running threads, and p99 is as long as the throttled times.
#[test]
fn a_used_up_quota_is_the_bottleneck() {
    let quota = Quota { periods: 100, throttled_periods: 95, throttled: ms(95.0 * 70.0) };
    let throttled = Health { threads_cpu: ms(3_000.0), lag: all(68.0), quota, ..idle() };
    let advice = "it used up its CPU quota in 95 % of the scheduler's periods, so its event loop ran up to 68 ms late \
                  (p95), where requests took 71 ms (p95); raise the quota (cpu.max of the control group, the container's \
                  CPU limit) or use fewer workers";
    judged(&throttled, 71.0, Bottleneck::Quota, advice);
    assert_eq!(throttled.bottleneck(&all(2_000.0)), Some(Bottleneck::Quota), "it limits the rate");
    let seldom = Health { quota: Quota { throttled_periods: 5, throttled: ms(350.0), ..quota }, ..idle() };
    assert_eq!(seldom.bottleneck(&all(71.0)), Some(Bottleneck::Quota));
    assert_eq!(seldom.bottleneck(&all(2_000.0)), None, "an occasional 70 ms is little compared with 2 s");
    let once = Health { quota: Quota { throttled_periods: 1, throttled: ms(70.0), ..quota }, ..idle() };
    assert_eq!(once.bottleneck(&all(71.0)), None, "once does not matter");
}

#[test]
fn code_that_blocks_is_the_bottleneck() {
    let blocked = Health { lag: all(80.0), ..idle() };
    let advice = "its event loop ran up to 80 ms late (p95), where requests took 20 ms (p95); look for code in scenarios \
                  that blocks, or use more threads or processes";
    judged(&blocked, 20.0, Bottleneck::Lag, advice);
    let text = blocked.advice("requests", &Histogram::default()).unwrap();
    assert!(text.contains("ran up to 80 ms late (p95); look for"), "{text}");
}

#[test]
fn the_limit_of_open_files_is_the_bottleneck() {
    let full = Health { open_files: 980, open_files_limit: Some(1000), ..idle() };
    let advice = "980 files were open of 1000 allowed; raise the limit (ulimit -n) or use fewer workers";
    judged(&full, 1.0, Bottleneck::OpenFiles, advice);
}

#[test]
fn merging_adds_times_and_keeps_the_tightest_limit() {
    let second = Duration::from_secs(1);
    let mut health = Health { threads_cpu: second, threads_wall: second, open_files: 3, ..Health::default() };
    let thread = |id| ThreadHealth { id, cpu: second, wall: second * 2, ..ThreadHealth::default() };
    let other = Health {
        threads: vec![thread(7), thread(8)],
        threads_wall: second,
        threads_delay: second,
        open_files: 9,
        open_files_limit: Some(20),
        machine: Machine { busy: second, stolen: second, total: second * 4 },
        quota: Quota { periods: 10, throttled_periods: 5, throttled: second },
        ..Health::default()
    };
    health.merge(&other);
    health.merge(&Health { open_files_limit: Some(30), ..Health::default() });
    health.merge(&other);
    assert_eq!(health.threads.iter().map(|of| (of.id, of.cpu)).collect::<Vec<_>>(), [(7, second * 2), (8, second * 2)]);
    assert_eq!((health.threads[0].cpu_share(), health.threads[0].cpu_wait()), (0.5, 0.0));
    assert_eq!((health.open_files, health.open_files_limit), (9, Some(20)));
    assert!((health.cpu() - 1.0 / 3.0).abs() < 1e-9 && (health.cpu_wait() - 2.0 / 3.0).abs() < 1e-9);
    assert!((health.machine.busy_share() - 0.25).abs() < 1e-9 && (health.machine.stolen_share() - 0.25).abs() < 1e-9);
    assert!((health.quota.throttled_share() - 0.5).abs() < 1e-9);
    assert_eq!(health.quota.mean_throttled(), second / 5);
}
