#[test]
fn adds() {
    assert_eq!(sum::add(1, 2), 3);
}
