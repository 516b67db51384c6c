use super::*;

#[test]
fn keys_are_those_of_the_datadog_agent() {
    for (value, key) in [(1.0, 1338), (2.5, 1397), (3.0, 1409), (100.0, 1635), (250.0, 1694), (0.0, 0), (-1.0, -1338)] {
        assert_eq!(key_of(value), key, "{value}");
    }
    for (key, value) in [(1397, 2.49614), (1409, 3.00656), (1635, 99.9573), (1694, 249.508)] {
        assert!((value_of(key) - value).abs() / value < 1e-5, "{key}");
    }
}
