//! What a new form pays for a hundred rules: one that the last of them matches, and one that none does.

#![allow(clippy::expect_used, reason = "a benchmark that cannot start has nothing to say")]

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use pillion::config::{Metrics, PatternKind, Rule};
use pillion::metrics::rules::Rules;
use pillion::statsd::Kind;

fn hundred_globs() -> Vec<Rule> {
    let rule = |at: usize| Rule {
        pattern: format!("service{at}.*.request.*"),
        name: Some("requests.$2".to_owned()),
        set_tags: [("route".to_owned(), "$1".to_owned())].into(),
        ..Rule::default()
    };
    (0..100).map(rule).collect()
}

fn hundred_mixed() -> Vec<Rule> {
    let mut rules = hundred_globs();
    for (at, rule) in rules.iter_mut().enumerate().filter(|(at, _)| at % 4 == 0) {
        rule.pattern_kind = PatternKind::Regex;
        rule.pattern = format!(r"service{at}\.(\w+)\.request\.(.*)$");
    }
    rules
}

fn applying(c: &mut Criterion) {
    let mut group = c.benchmark_group("rules");
    let metrics = Metrics { namespace: "shop.".into(), tags: vec!["env:dev".into()], ..Metrics::default() };
    for (set, rules) in [("none", Vec::new()), ("globs", hundred_globs()), ("mixed", hundred_mixed())] {
        let rules = Rules::compile(&rules, &metrics).expect("the rules above are valid");
        for (case, name) in [("match", "service99.checkout.request.ms"), ("miss", "worker.queue.depth.now")] {
            group.bench_function(format!("{set}_{case}"), |b| {
                let form = || (name.to_owned(), vec!["method:get".to_owned(), "status:200".to_owned()]);
                b.iter_batched_ref(
                    form,
                    |(name, tags)| rules.apply(Kind::Timer, name, tags),
                    BatchSize::SmallInput,
                );
            });
        }
    }
    group.finish();
    c.bench_function("rules/compile_100", |b| b.iter(|| Rules::compile(&hundred_globs(), &metrics)));
}

criterion_group!(benches, applying);
criterion_main!(benches);
