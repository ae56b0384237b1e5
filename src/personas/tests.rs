//! Files as people have them, good and bad.

use super::*;
use std::fs;

/// Writes a file, reads its personas, and takes its folder out of an error.
fn read_all(name: &str, bytes: &[u8]) -> Result<(Vec<Persona>, ReadSummary), String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, bytes).unwrap();
    let mut personas = Vec::new();
    read(&path, &mut |persona| {
        personas.push(persona);
        Ok::<(), String>(())
    })
    .map(|summary| (personas, summary))
    .map_err(|error| error.to_string().replace(&format!("{}/", dir.path().display()), ""))
}

/// A persona a line: `index id weight | name=value ...`.
fn shown(name: &str, text: &str) -> Vec<String> {
    let (personas, summary) = read_all(name, text.as_bytes()).unwrap();
    assert_eq!(summary.count as usize, personas.len());
    personas
        .into_iter()
        .map(|persona| {
            let weight = persona.weight.map(|weight| format!(" x{weight}")).unwrap_or_default();
            let attributes: Vec<_> =
                persona.attributes.iter().map(|a| format!("{}={}", a.name, a.value)).collect();
            format!("{} {}{weight} | {}", persona.index, persona.id, attributes.join(" ; "))
        })
        .collect()
}

#[test]
fn every_format_gives_the_same_personas() {
    let expected = ["0 p1 | age=34 ; address.city=Perth", "1 p2 | age=71"];
    for (name, text) in [
        ("p.csv", "id,age,address.city\np1,34,Perth\np2,71.0,\n"),
        ("p.csv", "\u{feff}ID;age;address.city\r\np1;34;Perth\r\n\r\np2;71; \r\n"),
        ("p.tsv", "age\tid\taddress.city\n34\tp1\tPerth\n71\tp2\tNaN"),
        (
            "p.json",
            r#"[{"id":"p1","age":34,"address":{"city":"Perth"}},{"id":"p2","age":71.0,"address":{"city":null}}]"#,
        ),
        (
            "p.json",
            "{\"version\": 1, \"meta\": {\"a\": [1]},\n\"personas\": [{\"persona_id\":\"p1\",\"age\":\"34\",\"address\":{\"city\":\"Perth\"}},\n{\"persona_id\":\"p2\",\"age\":71}]}",
        ),
        (
            "p.json",
            "{\"id\":\"p1\",\"age\":34,\"address.city\":\"Perth\"}\n{\"id\":\"p2\",\"age\":71}\n",
        ),
        (
            "p.jsonl",
            "\u{feff}{\"UUID\":\"p1\",\"age\":34,\"address\":{\"city\":\"Perth\"}}\r\n\n{\"UUID\":\"p2\",\"age\":71}",
        ),
        (
            "p.yaml",
            "- {id: p1, age: 34, address: {city: Perth}}\n- id: p2\n  age: 71\n  address: ~\n",
        ),
        (
            "personas",
            "---\npeople:\n- {id: p1, age: 34, address: {city: Perth}}\n- {id: p2, age: 71}\n",
        ),
    ] {
        assert_eq!(shown(name, text), expected, "{text}");
    }
}

#[test]
fn the_row_number_stands_in_for_an_id() {
    assert_eq!(shown("p.csv", "name\nAda\nBo\n"), ["0 1 | name=Ada", "1 2 | name=Bo"]);
    // Two personas may well be alike.
    let text = "{\"persona\": \"A chef, 34\"}\n{\"persona\": \"A chef, 34\"}\n";
    assert_eq!(shown("hub.jsonl", text), ["0 1 | persona=A chef, 34", "1 2 | persona=A chef, 34"]);
}

#[test]
fn the_first_of_several_id_columns_is_the_id() {
    let text = "uuid,persona_id,age\nu1,p1,34\n";
    assert_eq!(shown("p.csv", text), ["0 p1 | uuid=u1 ; age=34"]);
}

#[test]
fn weights_are_numbers_and_no_attributes() {
    assert_eq!(
        shown("p.csv", "Weight,age\n1.5,34\n2,71\n"),
        ["0 1 x1.5 | age=34", "1 2 x2 | age=71"]
    );
    assert_eq!(shown("p.json", r#"[{"weight": 0.25, "age": 34}]"#), ["0 1 x0.25 | age=34"]);
}

#[test]
fn nested_lists_and_objects_are_flattened() {
    let text = r#"[{"likes": ["tea", null, 3.0, true], "none": [], "children": [{"age": 3}, {"age": 5}],
        "skills_list": "['law', 'go']", "home": {"": "flat", "city": {"name": "Perth"}}, "car": false}]"#;
    assert_eq!(
        shown("p.json", text),
        ["0 1 | likes=tea, 3, yes ; children.1.age=3 ; children.2.age=5 ; skills_list=law, go ; \
          home=flat ; home.city.name=Perth ; car=no"]
    );
}

#[test]
fn quoted_fields_keep_delimiters_and_lose_line_breaks() {
    let text = "name,note\n\"Smith, Ada\",\"says \"\"hi\"\"\nand \u{1b}[2Jleaves\"\n";
    assert_eq!(shown("p.csv", text), ["0 1 | name=Smith, Ada ; note=says \"hi\" and [2Jleaves"]);
}

#[test]
fn what_is_left_out_is_said() {
    let (personas, summary) = read_all("p.csv", b",age\n0,34\n,\n1,71\n , \n").unwrap();
    assert_eq!(personas.len(), 2);
    assert_eq!(
        summary.notes,
        ["a column without a name is left out", "2 blank records are left out"]
    );
    assert!(!summary.own_ids && !summary.weighted);
    let (personas, summary) = read_all("p.jsonl", b"{}\n{\"age\": 5}\n{\"age\": null}\n").unwrap();
    assert_eq!((personas.len(), summary.notes.len()), (1, 1));
}

#[test]
fn a_bad_file_is_told_file_line_and_remedy() {
    let quote = b"id,name\n1,\"Ada\n2,Bo\n3,Cy\n";
    let two_lists = br#"{"a": [{"x": 1}], "b": [{"x": 1}]}"#;
    let cases: [(&str, &[u8]); 45] = [
        ("empty.csv", b""),
        ("blank.csv", b" \n\n"),
        ("header.csv", b"id,name\n"),
        ("bom.csv", b"\xef\xbb\xbf"),
        ("empty.json", b"[]"),
        ("empty.jsonl", b"\n\n"),
        ("empty.yaml", b"# nobody\n"),
        ("short.csv", b"id,name,age\r\n1,Ada,34\r\n\r\n2,Bo\r\n"),
        ("long.csv", b"id,name\n1,Ada\n2,Bo, 34\n"),
        ("quote.csv", quote),
        ("latin1.csv", b"id,name\n1,Ada\n2,Zo\xeb\n"),
        ("latin1.jsonl", b"{\"a\": 1}\n{\"a\": \"Zo\xeb\"}\n"),
        ("latin1.json", b"[{\"a\": 1},\n{\"a\": \"Zo\xeb\"}]"),
        ("latin1.yaml", b"- a: 1\n- a: Zo\xeb\n"),
        ("utf16.csv", b"\xff\xfei\0d\0"),
        ("sheet.xlsx", b"PK\x03\x04rest"),
        ("sheet.csv", b"PAR1rest"),
        ("twice.csv", b"id,name,age,name\n1,a,2,b\n"),
        ("ids.csv", b"id,name\n1,a\n\n\n2,b\n 1 ,c\n"),
        ("ids.jsonl", b"{\"id\": 1}\n\n{\"id\": \"x\"}\n{\"id\": \"1\"}\n"),
        ("ids.json", b"[{\"id\": 1}, {\"id\": 2}, {\"id\": 1.0}]"),
        ("ids.yaml", b"- id: a\n- id: a\n"),
        ("no_id.csv", b"id,name\n1,a\n,b\n"),
        ("no_id.json", b"[{\"id\": 1}, {\"age\": 2}]"),
        ("new_id.jsonl", b"{\"age\": 1}\n{\"id\": 7, \"age\": 2}\n"),
        ("weight.csv", b"id,weight\n1,2\n2,heavy\n"),
        ("weight.csv", b"id,weight\n1,0\n"),
        ("weight.csv", b"id,weight\n1,-2\n"),
        ("weight.csv", b"id,weight\n1,inf\n"),
        ("weight.csv", b"id,weight\n1,\n"),
        ("weight.csv", b"id;weight\n1;1,5\n"),
        ("weight.json", b"[{\"weight\": 1, \"a\": 1}, {\"a\": 2}]"),
        ("weight.json", b"[{\"a\": 1}, {\"a\": 2, \"weight\": 1}]"),
        ("cut.json", b"[{\"a\": 1}, {\"a\": "),
        ("comma.json", b"[{\"a\": 1},\n {\"a\" 2}]"),
        ("tail.json", b"[{\"a\": 1}] [1]"),
        ("texts.json", b"[\"a chef\"]"),
        ("number.json", b"5"),
        ("object.json", b"{\"a\": 1}"),
        ("lists.json", two_lists),
        ("cut.jsonl", b"{\"a\": 1}\n{\"a\": 1\n"),
        ("list.jsonl", b"{\"a\": 1}\n[1, 2]\n"),
        ("tabs.yaml", b"- a: 1\n-\tb: [\n"),
        ("text.yaml", b"hello"),
        ("map.yaml", b"a: {b: [1]}"),
    ];
    let told: String = cases
        .iter()
        .map(|(name, bytes)| {
            let error = read_all(name, bytes).err().unwrap_or_else(|| panic!("{name} is bad"));
            format!("{}\n    => {error}\n", bytes.escape_ascii())
        })
        .collect();
    insta::assert_snapshot!(told);
}

#[test]
fn what_is_no_file_is_told_so() {
    let dir = tempfile::tempdir().unwrap();
    let error = |path: &Path| {
        let error = read::<Infallible>(path, &mut |_| Ok(())).unwrap_err();
        match error {
            ReadError::Input(error) => {
                error.to_string().replace(&dir.path().display().to_string(), "DIR")
            }
            ReadError::Stopped(never) => match never {},
        }
    };
    assert_eq!(
        error(&dir.path().join("p.csv")),
        "DIR/p.csv: no such file; check the spelling and the folder"
    );
    assert_eq!(error(dir.path()), "DIR: is a folder; name a file inside it");
    #[cfg(unix)]
    assert_eq!(
        error(Path::new("/dev/null")),
        "/dev/null: is not a regular file; save the personas to a file first"
    );
}

#[test]
fn a_duplicate_far_down_is_found_and_both_lines_are_named() {
    use std::fmt::Write;
    let mut text = "id,age\n".to_owned();
    for row in 0..20_000 {
        let id = if row == 19_000 { 123 } else { row };
        writeln!(text, "{id},{}", row % 90).unwrap();
    }
    assert_eq!(
        read_all("p.csv", text.as_bytes()).unwrap_err(),
        "p.csv:19002: id \"123\" is already that of line 125; give each persona its own"
    );
}

#[test]
fn who_takes_the_personas_can_stop() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("p.csv", "a\n1\n2\n3\nragged,row\n"),
        ("p.json", "[{\"a\": 1}, {\"a\": 2}, oops"),
        ("p.jsonl", "{\"a\": 1}\n{\"a\": 2}\noops"),
        ("p.yaml", "[{a: 1}, {a: 2}]"),
    ] {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        let mut taken = 0;
        let stopped = read(&path, &mut |_| {
            taken += 1;
            if taken == 2 { Err("enough") } else { Ok(()) }
        });
        assert!(matches!(stopped, Err(ReadError::Stopped("enough"))), "{name}");
        assert_eq!(taken, 2);
    }
}

#[test]
fn the_personas_of_the_demo_are_what_a_file_of_ones_own_could_be() {
    let (read, summary) = read_all("personas.csv", EXAMPLE_PERSONAS.as_bytes()).unwrap();
    assert_eq!(read, example());
    assert_eq!((summary.count, summary.own_ids, summary.notes), (200, true, Vec::new()));
    let names = [
        "name",
        "age",
        "gender",
        "occupation",
        "education",
        "income",
        "tenure",
        "household",
        "suburb",
        "car_ownership",
        "commute",
        "values",
    ];
    let tenures =
        ["rents", "owns with a mortgage", "owns outright", "lives with parents", "public housing"];
    for persona in &read {
        for attribute in &persona.attributes {
            assert!(names.contains(&attribute.name.as_str()), "{attribute:?}");
            assert!(attribute.name != "tenure" || tenures.contains(&attribute.value.as_str()));
        }
        let age = persona.attributes.iter().find(|a| a.name == "age").map(|a| a.value.parse());
        assert!(matches!(age, Some(Ok(18..=95))), "{persona:?}");
    }
    let blanks = read.iter().filter(|persona| persona.attributes.len() < names.len()).count();
    assert!((20..150).contains(&blanks), "{blanks} personas have blanks");
}

proptest::proptest! {
    /// Any bytes in any format end in personas or in an error, never in a panic.
    #[test]
    fn no_file_is_too_strange(
        name in "p\\.(csv|tsv|json|jsonl|yaml|txt)",
        bytes in "[\\[\\]{}:,;\"'\\\\\n\r\t #&*!-aid01.\u{e9}\u{1b}]{0,60}",
    ) {
        if let Ok((personas, summary)) = read_all(&name, bytes.as_bytes()) {
            proptest::prop_assert_eq!(personas.len(), summary.count as usize);
            for attribute in personas.iter().flat_map(|persona| &persona.attributes) {
                proptest::prop_assert!(!attribute.value.trim().is_empty());
                proptest::prop_assert!(!attribute.value.chars().any(char::is_control));
            }
        }
    }
}
