//! The configuration as a whole: every option by file and by environment, what is generated, and
//! that what is shown loads again.

use super::schema::{ChapterKind, chapters};
use super::*;
use std::time::Duration;

fn variables(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn file(text: &str) -> Config {
    both(text, &[])
}

fn both(text: &str, environment: &[(&str, &str)]) -> Config {
    match load_text("test.toml", text, &variables(environment)) {
        Ok(loaded) => loaded.config,
        Err(errors) => panic!("{text}\n{}", errors.render(false)),
    }
}

fn refused(text: &str, environment: &[(&str, &str)]) -> String {
    load_text("test.toml", text, &variables(environment)).expect_err("a mistake").to_string()
}

#[test]
fn nothing_written_is_the_default() {
    assert_eq!(file(""), Config::default());
    assert_eq!(both("", &[("PATH", "/bin"), ("PILLION_CONFIG", "x"), ("PILLION_HTTP_LISTEN", "")]), file(""));
}

#[test]
fn the_example_is_the_default() {
    assert_eq!(values_of(&file(&example())), Config::default());
}

/// The example with everything on that is off.
fn whole_example() -> String {
    let on = |line: &str| match line.strip_prefix('#') {
        Some(rest) if !rest.starts_with(' ') => rest.to_owned(),
        Some(_) | None => line.to_owned(),
    };
    // `drop` contradicts what else the rule says, so it must be false, as it is.
    example().lines().map(on).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_example_holds_every_option_and_each_is_right() {
    let config = file(&whole_example());
    assert_eq!((config.rules.len(), config.backends.len()), (1, 4));
    assert!(config.telemetry.otlp.is_some());
    for chapter in chapters() {
        for option in &chapter.options {
            let line = format!("\n{} = ", option.key);
            assert!(whole_example().contains(&line), "{} in {}", option.key, chapter.header());
        }
    }
}

#[test]
fn what_is_shown_loads_again() {
    let written = r#"
        [statsd]
        workers = 3
        max_connections = 7
        listen = [
            "udp://127.0.0.1:1",
            { address = "udp://127.0.0.1:2", workers = 2, coalesce = "300us" },
            { address = "unixgram:///run/d.sock", socket_mode = "0666", gauge_sign = "absolute" },
            "tcp://[::1]:3",
        ]
        [metrics]
        tags = ["a:b", "quo\"te:\\"]
        [[rules]]
        match = '^a\.(\d+)$'
        match_type = "regex"
        types = ["c", "ms"]
        name = "b.$1"
        set_tags = { "x.y" = "1", z = "$1" }
        rewrite_tags = [{ key = "p", match = '\d+', value = "n" }]
        ttl = "90s"
        buckets = [1, 2.5]
        histograms = "summary"
        type = "d"
        [[rules]]
        match = "noise.*"
        drop = true
        [backends.lines]
        type = "file"
        path = "-"
        [backends.far]
        type = "otlp"
        endpoint = "https://example.org:4317"
        temporality = "delta"
        [telemetry.otlp]
        endpoint = "http://collector:4318"
    "#;
    for text in ["".to_owned(), written.to_owned(), whole_example()] {
        let loaded = load_text("test.toml", &text, &variables(&[("DD_ENV", "dev")])).expect("valid");
        let values = values_of(&loaded.config);
        assert_eq!(values_of(&file(&loaded.display())), values, "{}", loaded.display());
        assert_eq!(values_of(&file(&loaded.config.display())), values);
    }
}

/// What is shown is written, even where it was a default.
fn values_of(config: &Config) -> Config {
    let mut config = config.clone();
    for listener in &mut config.statsd.listeners {
        listener.receive_buffer_written = Written::Nowhere;
    }
    for backend in config.backends.values_mut() {
        // Hidden, so that it cannot come back.
        if let BackendKind::Datadog(datadog) = &mut backend.kind {
            datadog.api_key = Secret::default();
        }
    }
    config
}

#[test]
fn it_is_known_where_a_receive_buffer_was_written() {
    let written = |text: &str, environment: &[(&str, &str)]| {
        let listeners = both(text, environment).statsd.listeners;
        listeners.iter().map(|listener| listener.receive_buffer_written).collect::<Vec<_>>()
    };
    assert_eq!(written("", &[]), [Written::Nowhere]);
    assert_eq!(written("[statsd]\nworkers = 2", &[]), [Written::Nowhere]);
    assert_eq!(written("", &[("PILLION_STATSD_RECEIVE_BUFFER", "0")]), [Written::Shared]);
    let two = "listen = ['udp://127.0.0.1:1', { address = 'udp://127.0.0.1:2', receive_buffer = 9000 }]";
    assert_eq!(written(&format!("[statsd]\n{two}"), &[]), [Written::Nowhere, Written::Beside]);
    let all = written(&format!("[statsd]\nreceive_buffer = '4MiB'\n{two}"), &[]);
    assert_eq!(all, [Written::Shared, Written::Beside]);
}

#[test]
fn secrets_are_never_shown() {
    let text = "[backends.x]\ntype = 'otlp'\nendpoint = 'http://h:1'\nheaders = { api-key = 'hush' }\n";
    let loaded = load_text("test.toml", text, &variables(&[])).expect("valid");
    let BackendKind::Otlp(otlp) = &loaded.config.backends["x"].kind else { panic!("otlp") };
    assert_eq!(otlp.headers["api-key"].0, "hush");
    assert!(!loaded.display().contains("hush"));
    assert!(loaded.display().contains("headers = { api-key = \"(hidden)\" }"));
    assert!(!format!("{:?}", loaded.config).contains("hush"));
    // Nor in a message about a line that holds one.
    for text in [
        text.replace("headers", "header"),
        text.replace("'hush'", "'hush\u{7}'"),
        text.replace("'hush'", "['hush']"),
        text.replace("headers = { api-key = 'hush' }", "headers = 'hush'"),
        text.replace(" }", ""),
        text.replace("'hush'", "'hush"),
        text.replace("http://h:1", "http://me:hush@h:1"),
        text.replace("type = 'otlp'", "type = 'otlpp'"),
    ] {
        let errors = load_text("test.toml", &text, &variables(&[])).expect_err(&text);
        assert!(!errors.render(false).contains("hush"), "{}", errors.render(false));
    }
    for value in ["hush", "a=hush\u{7}", "{ a = 'hush", "{ a = ['hush'] }"] {
        let variables = variables(&[("PILLION_BACKENDS_X_HEADERS", value)]);
        let text = "[backends.x]\ntype = 'otlp'\nendpoint = 'http://h:1'";
        let errors = load_text("test.toml", text, &variables).expect_err(value);
        assert!(!errors.render(false).contains("hush"), "{}", errors.render(false));
    }
}

/// A value other than the default for every option: as TOML, and as a variable.
const OTHER: &[(&str, &str, &str)] = &[
    ("statsd.listen", "['udp://127.0.0.1:1', 'unix:///s']", "udp://127.0.0.1:1, unix:///s"),
    ("statsd.workers", "2", "2"),
    ("statsd.receive_buffer", "'4MiB'", "4MiB"),
    ("statsd.coalesce", "'500us'", "500us"),
    ("statsd.coalesce_fill", "0.5", "0.5"),
    ("statsd.max_packet", "8192", "8KiB"),
    ("statsd.socket_mode", "'0666'", "0666"),
    ("statsd.max_connections", "5", "5"),
    ("statsd.gauge_sign", "'absolute'", "absolute"),
    ("statsd.influx_tags", "false", "false"),
    ("statsd.librato_tags", "false", "0"),
    ("statsd.signalfx_tags", "false", "False"),
    ("statsd.origin", "true", "1"),
    ("limits.name_bytes", "300", "300"),
    ("limits.tag_bytes", "300", "300"),
    ("limits.tags", "3", "3"),
    ("metrics.flush_interval", "'1s'", "1s"),
    ("metrics.expiry", "'1h'", "1h"),
    ("metrics.context_limit", "500000", "500_000"),
    ("metrics.name_limit", "5", "5"),
    ("metrics.set_exact", "5", "5"),
    ("metrics.percentiles", "[0.5]", "0.5"),
    ("metrics.histograms", "'summary'", "summary"),
    ("metrics.timer_buckets", "[0.5, 1]", "0.5,1"),
    ("metrics.histogram_buckets", "[-1, 1]", "[-1, 1]"),
    ("metrics.summary_window", "'1m'", "1m"),
    ("metrics.otlp", "false", "false"),
    ("metrics.timestamped_limit", "0", "0"),
    ("metrics.namespace", "'shop.'", "shop."),
    ("metrics.namespace_exclude", "['a', 'b']", "a,b"),
    ("metrics.tags", "['env:dev', 'bare']", "env:dev,bare"),
    ("http.listen", "'0.0.0.0:9200'", "0.0.0.0:9200"),
    ("http.status_for_all", "true", "true"),
    ("http.max_connections", "5", "5"),
    ("backends.x.queue_bytes", "'1MiB'", "1MiB"),
    ("backends.x.timeout", "'1s'", "1s"),
    ("backends.x.retry_initial", "'2s'", "2s"),
    ("backends.x.retry_max", "'1m'", "1m"),
    ("backends.x.retry_elapsed", "0", "0"),
    ("backends.x.endpoint", "'http://other:1'", "http://other:1"),
    ("backends.x.protocol", "'grpc'", "grpc"),
    ("backends.x.temporality", "'delta'", "delta"),
    ("backends.x.points", "'cumulative'", "cumulative"),
    ("backends.x.compression", "'none'", "none"),
    ("backends.x.headers", "{ a = 'b=c', d = 'e' }", "a=b=c, d=e"),
    ("backends.y.path", "'/other'", "/other"),
    ("backends.y.rotate_bytes", "0", "0"),
    ("backends.y.rotate_keep", "1", "1"),
    ("telemetry.log", "'debug'", "debug"),
    ("telemetry.log_json", "true", "true"),
    ("telemetry.summary_interval", "0", "0"),
    ("telemetry.otlp.endpoint", "'http://other:1'", "http://other:1"),
    ("telemetry.otlp.protocol", "'grpc'", "grpc"),
    ("shutdown.drain", "'7s'", "7s"),
    ("shutdown.quiet", "'7s'", "7s"),
    ("shutdown.deadline", "'7s'", "7s"),
    ("shutdown.await_scrape", "'7s'", "7s"),
    ("otlp.grpc", "['127.0.0.1:1']", "127.0.0.1:1"),
    ("otlp.http", "['unix:///a', '[::1]:2']", "unix:///a,[::1]:2"),
    ("otlp.max_grpc_bytes", "2048", "2048"),
    ("otlp.max_http_bytes", "2048", "2048"),
    ("otlp.cors_origins", "['https://a']", "https://a"),
    ("datadog.listen", "[]", "[]"),
    ("datadog.max_bytes", "2048", "2048"),
    ("zipkin.listen", "['localhost:9411']", "localhost:9411"),
    ("zipkin.max_bytes", "2048", "2048"),
    ("intake.max_connections", "7", "7"),
    ("intake.request_timeout", "'7s'", "7s"),
    ("intake.idle_timeout", "'7s'", "7s"),
    ("intake.socket_mode", "'0600'", "0600"),
    ("traces.budget_bytes", "4096", "4096"),
    ("traces.batch_bytes", "4096", "4096"),
    ("traces.batch_spans", "7", "7"),
    ("traces.batch_age", "'7s'", "7s"),
    ("backends.d.site", "'datadoghq.eu'", "datadoghq.eu"),
    ("backends.d.endpoint", "'http://d:1'", "http://d:1"),
    ("backends.d.api_key", "'k2'", "k2"),
    ("backends.d.compression", "'gzip'", "gzip"),
    ("backends.d.env", "'e'", "e"),
    ("backends.d.hostname", "'h'", "h"),
    ("backends.z.endpoint", "'http://z:1'", "http://z:1"),
    ("backends.z.compression", "'gzip'", "gzip"),
    ("backends.z.headers", "{ a = 'b' }", "a=b"),
];

/// What options need around them to be right.
const AROUND: &str = "backends.x.type = 'otlp'\nbackends.x.endpoint = 'http://h:1'\nbackends.y.type = 'file'\n\
                      backends.y.path = '/y'\nbackends.z.type = 'zipkin'\nbackends.z.endpoint = 'http://h:1'\nbackends.d.type = 'datadog'\nbackends.d.api_key = 'k'\n\
                      telemetry.otlp.endpoint = 'http://h:1'\n";

#[test]
fn every_option_is_set_by_the_file_and_by_a_variable() {
    let plain = file(AROUND);
    for (path, toml, word) in OTHER {
        let others: Vec<&str> =
            AROUND.lines().filter(|line| !line.starts_with(&format!("{path} ="))).collect();
        let by_file = file(&format!("{}\n{path} = {toml}", others.join("\n")));
        assert_ne!(by_file, plain, "{path} changes nothing");
        let name = format!("PILLION_{}", path.replace('.', "_").to_uppercase());
        assert_eq!(both(AROUND, &[(&name, word)]), by_file, "{name}");
    }
}

#[test]
fn no_option_is_left_out_of_that() {
    let tried: Vec<&str> = OTHER.iter().map(|(path, ..)| *path).collect();
    for chapter in chapters() {
        let path = match chapter.kind {
            ChapterKind::Table => chapter.path,
            ChapterKind::Delivery | ChapterKind::Backend(backends::TypeName::Otlp) => "backends.x",
            ChapterKind::Backend(backends::TypeName::File) => "backends.y",
            ChapterKind::Backend(backends::TypeName::Zipkin) => "backends.z",
            ChapterKind::Backend(backends::TypeName::Datadog) => "backends.d",
            ChapterKind::List => continue,
        };
        for option in chapter.options.iter().filter(|option| option.key != "type") {
            let path = format!("{path}.{}", option.key);
            assert!(tried.contains(&path.as_str()), "{path}");
        }
    }
}

#[test]
fn every_option_of_a_rule_is_read() {
    let config = file(
        "[[rules]]\nmatch = 'a'\nmatch_type = 'regex'\ntypes = ['c']\nname = 'n'\nset_tags = { a = 'b' }\n\
         drop_tags = ['c']\nrewrite_tags = [{ key = 'k', match = 'm', value = 'v' }]\ntype = 'g'\nttl = '1m'\n\
         buckets = [1]\npercentiles = [0.5]\nhistograms = 'histogram'\nhelp = 'h'\nunit = 'u'\n\
         [[rules]]\nmatch = 'b'\ndrop = true",
    );
    let first = Rule {
        pattern: "a".into(),
        pattern_kind: PatternKind::Regex,
        types: vec![crate::statsd::Kind::Counter],
        drop: false,
        name: Some("n".into()),
        set_tags: variables(&[("a", "b")]),
        drop_tags: vec!["c".into()],
        rewrite_tags: vec![TagRewrite { key: "k".into(), pattern: "m".into(), value: "v".into() }],
        force_type: Some(crate::statsd::Kind::Gauge),
        ttl: Some(Duration::from_secs(60)),
        buckets: Some(vec![1.0]),
        percentiles: Some(vec![0.5]),
        histograms: Some(HistogramStyle::Histogram),
        help: Some("h".into()),
        unit: Some("u".into()),
    };
    let second = Rule { pattern: "b".into(), drop: true, ..Rule::default() };
    assert_eq!(config.rules, [first, second]);
    let by_variable = both("", &[("PILLION_RULES", "[{ match = 'b', drop = true }]")]);
    assert_eq!(by_variable.rules, config.rules[1..]);
}

#[test]
fn the_environment_wins() {
    let text =
        "[metrics]\nflush_interval = '1s'\nexpiry = '2m'\n[backends.My-sink]\ntype = 'file'\npath = 'a'";
    let config = both(
        text,
        &[
            ("PILLION_METRICS_FLUSH_INTERVAL", "3s"),
            ("PILLION_BACKENDS_MY_SINK_PATH", "b"),
            ("PILLION_BACKENDS_TWO_WORDS_TYPE", "file"),
            ("PILLION_BACKENDS_TWO_WORDS_PATH", "c"),
        ],
    );
    assert_eq!(config.metrics.flush_interval, Duration::from_secs(3));
    assert_eq!(config.metrics.expiry, Duration::from_secs(120));
    let paths: Vec<_> = config
        .backends
        .iter()
        .map(|(name, backend)| match &backend.kind {
            BackendKind::File(file) => (name.as_str(), file.path.to_str().expect("text")),
            BackendKind::Otlp(_) | BackendKind::Zipkin(_) | BackendKind::Datadog(_) => panic!("a file"),
        })
        .collect();
    assert_eq!(paths, [("My-sink", "b"), ("two_words", "c")]);
}

#[test]
fn defaults_bend_to_what_is_written() {
    let config = file("[metrics]\ncontext_limit = 10\nflush_interval = '10m'");
    assert_eq!(config.metrics.name_limit, 10);
    assert_eq!(config.metrics.expiry, Duration::from_secs(600));
    let config = file("[backends.x]\ntype = 'otlp'\nendpoint = 'http://h:4317'\nretry_max = '100ms'");
    let backend = &config.backends["x"];
    assert_eq!(backend.delivery.retry_initial, Duration::from_millis(100));
    let BackendKind::Otlp(otlp) = &backend.kind else { panic!("otlp") };
    assert_eq!(otlp.protocol, OtlpProtocol::Grpc);
}

#[test]
fn variables_of_the_application_only_describe() {
    let config = both(
        "[metrics]\ntags = ['env:dev']",
        &[
            ("DD_ENV", "prod"),
            ("DD_SERVICE", "shop"),
            ("DD_AGENT_HOST", "elsewhere"),
            ("OTEL_SERVICE_NAME", "shop"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
        ],
    );
    assert_eq!(config.metrics.tags, ["env:dev", "service:shop"]);
    assert_eq!(config.resource, variables(&[("service.name", "shop")]));
    assert_eq!(config.telemetry.otlp, None);
    assert!(config.backends.is_empty());
}

#[test]
fn services_of_kubernetes_are_no_mistakes() {
    let links = [("PILLION_PORT", "udp://10.0.0.1:8125"), ("PILLION_SERVICE_HOST", "10.0.0.1")];
    assert_eq!(both("", &links), Config::default());
}

#[test]
fn origins_are_named() {
    let environment = variables(&[("PILLION_HTTP_LISTEN", "127.0.0.1:1"), ("DD_ENV", "dev")]);
    let loaded = load_text("test.toml", "[metrics]\nexpiry = '1m'\n", &environment).expect("valid");
    let line = |start: &str| {
        let shown = loaded.display();
        let line = shown.lines().find(|line| line.starts_with(start)).expect("shown").to_owned();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(line("expiry"), "expiry = \"1m\" # test.toml:2");
    assert_eq!(line("flush_interval"), "flush_interval = \"10s\" # default");
    assert_eq!(line("tags = ["), "tags = [\"env:dev\"] # DD_* variables");
    assert_eq!(line("listen = \"127"), "listen = \"127.0.0.1:1\" # PILLION_HTTP_LISTEN");
}

#[test]
fn later_mistakes_have_places_too() {
    let loaded =
        load_text("test.toml", "[[rules]]\nmatch = 'a*'\nname = '$2'\n", &variables(&[])).expect("valid");
    let found = [
        ("rules[0].name".to_owned(), "there is no `$2`".to_owned(), "count from 1".to_owned()),
        ("rules[0].unit".to_owned(), "it has no place".to_owned(), "write it".to_owned()),
    ];
    let errors = loaded.mistakes(found);
    insta::assert_snapshot!(errors.render(false), @r"
      × `rules[0].unit`: it has no place
       ╭─[test.toml:1:1]
     1 │ [[rules]]
       · ────┬────
       ·     ╰── here
       ╰────
      help: write it

      × `rules[0].name`: there is no `$2`
       ╭─[test.toml:3:8]
     3 │ name = '$2'
       ·        ──┬─
       ·          ╰── here
       ╰────
      help: count from 1
    ");
}

#[test]
fn one_line_says_it_without_excerpt() {
    insta::assert_snapshot!(refused("[http]\nlisten = ':1'", &[("PILLION_METRICS_EXPIRE", "1")]), @r#"
    test.toml:2:10: `http.listen` must be an IP address with a port (write `"127.0.0.1:1"`)
    PILLION_METRICS_EXPIRE: unknown variable `PILLION_METRICS_EXPIRE` (did you mean `PILLION_METRICS_EXPIRY`?)
    "#);
}
