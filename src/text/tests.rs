use super::*;

#[test]
fn what_moves_the_cursor_ends_a_line_or_turns_the_text_is_escaped() {
    assert_eq!(harmless("a\r\n\tb\x1b[2J\u{7}\0"), "a\\r\\n\\tb\\u{1b}[2J\\u{7}\\u{0}");
    assert_eq!(harmless("\u{9b}\u{2028}\u{2029}"), "\\u{9b}\\u{2028}\\u{2029}");
    assert_eq!(harmless("\u{202e}cipher\u{2066}\u{200f}"), "\\u{202e}cipher\\u{2066}\\u{200f}");
}

#[test]
fn what_only_looks_strange_stays() {
    let text = "\"quotes\" and 'these', C:\\path, é, e\u{301}, 文字, 👩\u{200d}🚀";
    assert_eq!(harmless(text), text);
}
