//! Exports: every persona, in the order of the input, whatever became of it.

use crate::support::{PATIENCE, answer, answer_one, create, failure, finish, path_in, writer};
use serde_json::Value;
use std::{fs, io};
use voxpop::{
    export::{ExportError, Format, export, export_to_file},
    model::Fate,
    store::RunReader,
};

/// Six personas: 0 and 5 answered, 1 refused, 2 failed, 3 and 4 queued; finished in another order.
fn run(dir: &std::path::Path) -> RunReader {
    let (writer, _) = writer(create(dir, 6));
    answer_one(&writer, 5);
    finish(&writer, 2, Fate::Failed(failure()), 3);
    finish(&writer, 1, Fate::Refused { reason: "-no".to_owned() }, 1);
    answer_one(&writer, 0);
    writer.close(PATIENCE).unwrap();
    RunReader::open(&path_in(dir)).unwrap()
}

fn text(reader: &RunReader, format: Format) -> String {
    let mut out = Vec::new();
    export(reader, format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn json_lines_have_one_record_a_persona_in_input_order() {
    let dir = tempfile::tempdir().unwrap();
    let reader = run(dir.path());
    let jsonl = text(&reader, Format::Jsonl);
    let records: Vec<Value> =
        jsonl.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<_> = records.iter().map(|r| r["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["done", "refused", "failed", "queued", "queued", "done"]);
    for (index, record) in records.iter().enumerate() {
        assert_eq!(record["index"], index);
        assert_eq!(record["persona_id"], format!("p{index}"));
    }
    insta::assert_snapshot!(jsonl.lines().take(4).collect::<Vec<_>>().join("\n"), @r##"
    {"index":0,"persona_id":"p0","weight":0.5,"status":"done","answer":{"narrative":"I am number 0. \"Well\",\nit is né so.","survey":{"support_level":1,"transport":2,"housing":3,"status":4,"key_concerns":["noise","cost of 0"],"suggested_improvements":["more trees"]}},"flags":[],"failure":null,"refusal":null,"attempts":1,"packed":null,"verdict_donors":[],"drivers":[],"themes":[],"attributes":{"town":"Town 0","age":"18"}}
    {"index":1,"persona_id":"p1","weight":null,"status":"refused","answer":null,"flags":[],"failure":null,"refusal":"-no","attempts":1,"packed":null,"verdict_donors":[],"drivers":[],"themes":[],"attributes":{"town":"Town 1","age":"19","note":"=1+1"}}
    {"index":2,"persona_id":"p2","weight":2.5,"status":"failed","answer":null,"flags":[],"failure":{"kind":"server_error","message":"upstream is down"},"refusal":null,"attempts":3,"packed":null,"verdict_donors":[],"drivers":[],"themes":[],"attributes":{"town":"Town 2","age":"20"}}
    {"index":3,"persona_id":"p3","weight":null,"status":"queued","answer":null,"flags":[],"failure":null,"refusal":null,"attempts":0,"packed":null,"verdict_donors":[],"drivers":[],"themes":[],"attributes":{"town":"Town 3","age":"21"}}
    "##);

    let array: Vec<Value> = serde_json::from_str(&text(&reader, Format::Json)).unwrap();
    assert_eq!(array, records);
}

#[test]
fn csv_has_a_column_for_each_number_and_attribute_and_defuses_formulas() {
    let dir = tempfile::tempdir().unwrap();
    let csv = text(&run(dir.path()), Format::Csv);
    insta::assert_snapshot!(csv, @r#"
    index,persona_id,weight,status,support_level,transport,housing,impact.status,narrative,key_concerns,suggested_improvements,flags,failure_kind,failure_message,refusal,attempts,packed,verdict_donors,verdict_similarities,drivers,themes,attribute.town,attribute.age,attribute.note
    0,p0,0.5,done,1,2,3,4,"I am number 0. ""Well"",
    it is né so.",noise; cost of 0,more trees,,,,,1,,,,,,Town 0,18,
    1,p1,,refused,,,,,,,,,,,'-no,1,,,,,,Town 1,19,'=1+1
    2,p2,2.5,failed,,,,,,,,,server_error,upstream is down,,3,,,,,,Town 2,20,
    3,p3,,queued,,,,,,,,,,,,0,,,,,,Town 3,21,
    4,p4,4.5,queued,,,,,,,,,,,,0,,,,,,Town 4,22,'=1+4
    5,p5,,done,1,2,3,4,"I am number 5. ""Well"",
    it is né so.",noise; cost of 5,more trees,,,,,1,,,,,,Town 5,23,
    "#);
    let mut rows = csv::Reader::from_reader(csv.as_bytes());
    let rows: Vec<_> = rows.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 6);
    assert_eq!(&rows[5][8], answer(5).narrative);
}

#[test]
fn a_run_without_personas_is_an_empty_export() {
    let dir = tempfile::tempdir().unwrap();
    drop(create(dir.path(), 0));
    let reader = RunReader::open(&path_in(dir.path())).unwrap();
    assert_eq!(text(&reader, Format::Jsonl), "");
    assert_eq!(text(&reader, Format::Json), "[]\n");
    assert_eq!(text(&reader, Format::Csv).lines().count(), 1);
}

/// A writer that breaks after the first bytes.
struct Breaks(io::ErrorKind);

impl io::Write for Breaks {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_closed_pipe_is_a_quiet_end_and_a_full_disk_is_not() {
    let dir = tempfile::tempdir().unwrap();
    let reader = run(dir.path());
    for format in Format::ALL {
        export(&reader, format, &mut Breaks(io::ErrorKind::BrokenPipe)).unwrap();
        let error = export(&reader, format, &mut Breaks(io::ErrorKind::StorageFull)).unwrap_err();
        assert!(matches!(error, ExportError::Write(_)), "{error}");
    }
}

#[test]
fn a_file_is_written_in_full_or_left_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let reader = run(dir.path());
    let out = dir.path().join("answers.jsonl");
    fs::write(&out, "old").unwrap();
    export_to_file(&reader, Format::Jsonl, &out).unwrap();
    assert_eq!(fs::read_to_string(&out).unwrap(), text(&reader, Format::Jsonl));

    let nowhere = dir.path().join("no/such/folder.csv");
    let error = export_to_file(&reader, Format::Csv, &nowhere).unwrap_err();
    assert!(error.to_string().contains("folder.csv"), "{error}");
    assert!(export_to_file(&reader, Format::Csv, dir.path()).is_err());
    assert!(export_to_file(&reader, Format::Csv, &path_in(dir.path())).is_err());

    // Damaged half way: the old export stays, and no half of a new one.
    drop(reader);
    let mut bytes = fs::read(path_in(dir.path())).unwrap();
    // The first page of rows is the run's own; the personas' one comes right after it.
    let persona_page = bytes.windows(8).position(|w| w == b"Town 0\",").unwrap();
    bytes[persona_page - 40..persona_page + 8].fill(0xaa);
    fs::write(path_in(dir.path()), bytes).unwrap();
    let reader = RunReader::open(&path_in(dir.path())).unwrap();
    assert!(export_to_file(&reader, Format::Csv, &out).is_err());
    assert!(fs::read_to_string(&out).unwrap().starts_with("{\"index\":0"));
    let names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().ends_with(".tmp")), "{names:?}");
}
