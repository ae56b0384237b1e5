//! The file by itself, and the threads over it.

use super::{file::Change, *};
use crate::model::{CacheLimits, UnixMillis};
use rusqlite::Connection;
use std::{fs, path::Path};
use tempfile::tempdir;

const LIMITS: CacheLimits = CacheLimits { megabytes: 500, days: 30 };
const DAY: i64 = 86_400_000;

fn key(n: u32) -> CacheKey {
    KeyStart::new(&[b"test"]).key(&[&n.to_le_bytes()], Repeat::default())
}

fn reply(content: &str) -> CachedReply {
    let usage = Usage { prompt_tokens: 10, completion_tokens: 3, cached_tokens: 0 };
    CachedReply { content: content.to_owned(), usage: Some(usage) }
}

fn open(path: &Path, limits: CacheLimits) -> CacheFile {
    let Opened { file, set_aside } = CacheFile::open(path, limits).unwrap();
    assert_eq!(set_aside, None);
    file
}

fn put(file: &CacheFile, n: u32, content: &str, at: UnixMillis) {
    file.write(&[Change::Put(key(n), reply(content))], at).unwrap();
}

fn get(file: &CacheFile, n: u32, at: UnixMillis) -> Option<CachedReply> {
    file.get(&key(n), at).unwrap().map(|found| found.reply)
}

#[test]
fn a_reply_is_found_until_it_is_too_old() {
    let folder = tempdir().unwrap();
    let file = open(&folder.path().join("deep/cache.sqlite"), LIMITS);
    let now = UnixMillis::now();
    put(&file, 1, "yes", now);
    assert_eq!(get(&file, 1, now), Some(reply("yes")));
    assert_eq!(get(&file, 2, now), None);
    let later = UnixMillis(now.0 + 31 * DAY);
    assert_eq!(get(&file, 1, later), None);
    put(&file, 2, "newer", UnixMillis(now.0 + 20 * DAY));
    file.make_room(later).unwrap();
    assert_eq!(file.stats().unwrap().entries, 1, "only the old one is thrown out");
    put(&file, 2, "newest", later);
    assert_eq!(get(&file, 2, later), Some(reply("newest")));
}

#[test]
fn what_was_not_used_for_longest_makes_room() {
    let folder = tempdir().unwrap();
    let file = open(&folder.path().join("cache.sqlite"), CacheLimits { megabytes: 1, days: 30 });
    let start = UnixMillis::now();
    let long = "x".repeat(10_000);
    for n in 0..150 {
        put(&file, n, &long, UnixMillis(start.0 + i64::from(n)));
    }
    let used = Change::Used { key: key(0), note: true, usage: reply("").usage };
    file.write(&[used], UnixMillis(start.0 + 1_000)).unwrap();
    file.make_room(UnixMillis(start.0 + 1_000)).unwrap();
    let stats = file.stats().unwrap();
    assert!(stats.bytes <= 1 << 20, "{stats:?}");
    assert!(stats.entries > 60, "no more is thrown out than must be: {stats:?}");
    assert!(get(&file, 0, start).is_some(), "it was used just now");
    assert!(get(&file, 1, start).is_none());
    assert!(get(&file, 149, start).is_some());
    assert_eq!((stats.hits, stats.prompt_tokens, stats.completion_tokens), (1, 10, 3));
    assert_eq!(stats.limits.megabytes, 1);
}

#[test]
fn clearing_leaves_an_empty_file_with_its_limits() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("cache.sqlite");
    assert!(CacheFile::open_existing(&path).unwrap().is_none(), "a look makes no file");
    let file = open(&path, CacheLimits { megabytes: 7, days: 3 });
    for n in 0..50 {
        put(&file, n, &"x".repeat(10_000), UnixMillis::now());
    }
    let full = file.stats().unwrap().bytes;
    drop(file);
    let file = CacheFile::open_existing(&path).unwrap().unwrap();
    file.clear().unwrap();
    let stats = file.stats().unwrap();
    assert_eq!((stats.entries, stats.limits.megabytes, stats.limits.days), (0, 7, 3));
    assert!(stats.bytes < full / 4, "{stats:?} after {full}");
}

#[test]
fn a_damaged_file_is_set_aside_and_what_is_no_cache_is_left_alone() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("cache.sqlite");
    fs::write(&path, "this is no database, and yet long enough to look like one. ".repeat(20))
        .unwrap();
    let Opened { file, set_aside } = CacheFile::open(&path, LIMITS).unwrap();
    let aside = set_aside.expect("it was damaged");
    assert!(fs::read_to_string(aside).unwrap().starts_with("this is no database"));
    put(&file, 1, "yes", UnixMillis::now());

    // A header that is whole, and pages that are not.
    drop(file);
    let mut bytes = fs::read(&path).unwrap();
    bytes[4_096..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    assert!(CacheFile::open(&path, LIMITS).unwrap().set_aside.is_some());

    assert!(matches!(CacheFile::open(folder.path(), LIMITS), Err(CacheError::Sqlite { .. })));
    let other = folder.path().join("other.sqlite");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE mine (x)").unwrap();
    assert!(matches!(CacheFile::open(&other, LIMITS), Err(CacheError::NotACache { .. })));
    let newer = folder.path().join("newer.sqlite");
    drop(open(&newer, LIMITS));
    Connection::open(&newer).unwrap().pragma_update(None, "user_version", 99).unwrap();
    assert!(matches!(CacheFile::open(&newer, LIMITS), Err(CacheError::Newer { .. })));
}

#[tokio::test]
async fn what_was_put_is_found_by_the_next_run_and_a_miss_is_told_at_once() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("cache.sqlite");
    let (cache, threads) = Cache::start(open(&path, LIMITS)).unwrap();
    for n in 0..500 {
        cache.put(key(n), reply(&format!("reply {n}")));
    }
    threads.end();
    let (cache, threads) = Cache::start(open(&path, LIMITS)).unwrap();
    assert_eq!(cache.look_up(&[key(900), key(7)]).await, Some((1, reply("reply 7"))));
    assert_eq!(cache.look_up(&[key(900)]).await, None);
    threads.end();
    assert_eq!(CacheFile::open_existing(&path).unwrap().unwrap().stats().unwrap().hits, 1);
    assert_eq!(cache.look_up(&[key(7)]).await, None, "after its end it has nothing");
}

#[tokio::test]
async fn two_use_one_file_at_once() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("cache.sqlite");
    let (one, threads_of_one) = Cache::start(open(&path, LIMITS)).unwrap();
    let (other, threads_of_other) = Cache::start(open(&path, LIMITS)).unwrap();
    for n in 0..3_000 {
        one.put(key(n), reply("one"));
        other.put(key(n + 1_500), reply("other"));
    }
    threads_of_one.end();
    threads_of_other.end();
    let file = open(&path, LIMITS);
    assert_eq!(file.stats().unwrap().entries, 4_500);
}

#[tokio::test]
async fn a_file_that_turns_out_to_be_unusable_turns_the_cache_off() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("cache.sqlite");
    let file = open(&path, LIMITS);
    put(&file, 1, "yes", UnixMillis::now());
    file.connection.execute_batch("DROP TABLE entry; CREATE TABLE entry (key, other)").unwrap();
    let (cache, threads) = Cache::start(file).unwrap();
    cache.put(key(2), reply("no"));
    assert_eq!(cache.look_up(&[key(1)]).await, None);
    threads.end();
}

#[test]
fn room_that_cannot_be_made_because_another_program_writes_is_made_later() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("cache.sqlite");
    let file = open(&path, LIMITS);
    put(&file, 1, "old", UnixMillis(UnixMillis::now().0 - 31 * DAY));
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(!service::make_room(&file).unwrap(), "it is no fault of the file");
    holder.execute_batch("ROLLBACK").unwrap();
    assert!(service::make_room(&file).unwrap());
    assert_eq!(file.stats().unwrap().entries, 0);
}

#[tokio::test]
async fn while_another_program_holds_the_file_what_is_in_it_is_found_and_the_end_comes() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("cache.sqlite");
    put(&open(&path, LIMITS), 1, "yes", UnixMillis::now());
    let holder = Connection::open(&path).unwrap();
    holder.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let (cache, threads) = Cache::start(open(&path, LIMITS)).unwrap();
    cache.put(key(2), reply("no"));
    assert_eq!(cache.look_up(&[key(1)]).await, Some((0, reply("yes"))));
    threads.end();
    holder.execute_batch("ROLLBACK").unwrap();
    assert_eq!(open(&path, LIMITS).stats().unwrap().entries, 1);
}
