//! What a run shows of its progress.

use super::*;

#[test]
fn counts_blocking_scenarios_in_the_second_they_ended() {
    let blocking = scenario(
        "blocks",
        1.0,
        Box::new(|_| {
            Box::pin(async {
                std::thread::sleep(Duration::from_millis(90));
                Ok(())
            })
        }),
    );
    let args = Args { threads: Some(1), duration: Duration::from_millis(1_600), ..Args::default() };
    let (summary, _) = execute(plan(args, [blocking]));
    let points: Vec<_> = summary.timeline.points().collect();
    let course: Vec<_> = points.iter().map(|point| point.successes).collect();
    // At most one per 90 ms, and one that started earlier.
    let possible = |point: &crate::run::Point| (point.period.as_secs_f64() / 0.09) as u64 + 1;
    assert!(course.len() >= 2, "{course:?}");
    assert!(points.iter().all(|point| point.successes <= possible(point)), "{course:?}");
    assert_eq!(course.iter().sum::<u64>(), summary.totals.successes);
}

#[test]
fn shows_given_durations_as_progress() {
    #[derive(Default)]
    struct DurationScreen(Option<Duration>);

    impl Screen for DurationScreen {
        fn begin(&mut self, limits: &RunLimits) {
            self.0 = limits.duration;
        }

        fn line(&mut self, _: &Line) {}

        fn progress(&mut self, _: &Progress) {}

        fn finish(&mut self, _: &Summary) {}
    }

    // No duration, the default given as an option, and more than the default.
    for duration in [None, Some(Duration::from_secs(86_400)), Some(Duration::from_secs(2 * 86_400))] {
        let failing = scenario("failing", 1.0, Box::new(|_| Box::pin(async { Err(Failure::msg("at once")) })));
        let options = Options { duration, exception: Some(true), ..Options::default() };
        let mut screen = DurationScreen::default();
        let (_control, inbox) = Control::new();
        run(&plan(options.resolve(), [failing]), &mut screen, inbox);
        assert_eq!(screen.0, duration);
    }
}
