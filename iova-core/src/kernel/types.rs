//! The kernel's types for a process that lives long: what was asked once is remembered, so that the tables (6 to 9 MiB)
//! can be given back. A question that is new then reads them again.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::Root;
use super::btf::{Btf, Member, TypeId};

/// Where the kernel has them.
pub(super) const PATH: &str = "sys/kernel/btf/vmlinux";

/// [`Btf`] with a memory for answers.
#[derive(Debug)]
pub struct Types {
    tables: Mutex<Option<Arc<Btf>>>,
    /// Where to read them again; nowhere for those of tests, which are never forgotten.
    root: Option<Root>,
    count: usize,
    members: Answers<String, Member>,
    numbers: Answers<Question, u64>,
}

/// What has a number for an answer.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Question {
    Size(String),
    MemberSize(TypeId),
    ArrayLen(TypeId),
    IsPointer(TypeId),
    Function(String),
    Typedef(String),
    Arguments(String),
    Enumerator(String, String),
}

/// What was asked, and what it came to.
#[derive(Debug)]
struct Answers<Q, A>(Mutex<HashMap<Q, Option<A>>>);

impl<Q: Hash + Eq, A: Copy> Answers<Q, A> {
    fn new() -> Self {
        Self(Mutex::new(HashMap::new()))
    }

    fn get(&self, question: Q, find: impl FnOnce(&Q) -> Option<A>) -> Option<A> {
        if let Some(known) = lock(&self.0).get(&question) {
            return *known;
        }
        let answer = find(&question);
        lock(&self.0).insert(question, answer);
        answer
    }
}

impl From<Btf> for Types {
    fn from(btf: Btf) -> Self {
        let count = btf.len();
        let tables = Mutex::new(Some(Arc::new(btf)));
        Self { tables, root: None, count, members: Answers::new(), numbers: Answers::new() }
    }
}

impl Types {
    /// These can be read again below `root`.
    pub(super) fn of(btf: Btf, root: &Root) -> Self {
        Self { root: Some(root.clone()), ..Self::from(btf) }
    }

    /// Gives the tables back; the next new question reads them again.
    pub fn forget(&self) {
        if self.root.is_some() {
            *lock(&self.tables) = None;
        }
    }

    /// The tables, read again if they were forgotten. Gone for good only if the kernel takes its file away.
    pub(super) fn tables(&self) -> Option<Arc<Btf>> {
        let mut tables = lock(&self.tables);
        if tables.is_none() {
            let data = self.root.as_ref()?.bytes(PATH).ok()?;
            *tables = Some(Arc::new(Btf::parse(data).ok()?));
        }
        tables.clone()
    }

    fn number(&self, question: Question, find: impl FnOnce(&Btf) -> Option<u32>) -> Option<u32> {
        let answer = self.numbers.get(question, |_| find(self.tables()?.as_ref()).map(u64::from));
        answer.and_then(|number| u32::try_from(number).ok())
    }

    /// As [`Btf::len`].
    pub fn len(&self) -> usize {
        self.count
    }

    /// As [`Btf::is_empty`].
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// As [`Btf::member`].
    pub fn member(&self, path: &str) -> Option<Member> {
        self.members.get(path.to_owned(), |path| self.tables()?.member(path))
    }

    /// As [`Btf::offset`].
    pub fn offset(&self, path: &str) -> Option<u32> {
        self.member(path).map(|member| member.offset())
    }

    /// True if spinlocks sleep (`CONFIG_PREEMPT_RT`): such a lock has an owner (`struct rt_mutex_base`,
    /// include/linux/rtmutex.h), and who waits for it may go on on another CPU.
    pub fn spinlocks_sleep(&self) -> bool {
        self.offset("spinlock.lock.owner").is_some()
    }

    /// As [`Btf::size_of`].
    pub fn size_of(&self, name: &str) -> Option<u32> {
        self.number(Question::Size(name.to_owned()), |btf| btf.size_of(name))
    }

    /// As [`Btf::member_size`].
    pub fn member_size(&self, member: Member) -> Option<u32> {
        self.number(Question::MemberSize(member.type_id), |btf| btf.member_size(member))
    }

    /// As [`Btf::array_len`].
    pub fn array_len(&self, member: Member) -> Option<u32> {
        self.number(Question::ArrayLen(member.type_id), |btf| btf.array_len(member))
    }

    /// As [`Btf::is_pointer`].
    pub fn is_pointer(&self, member: Member) -> bool {
        self.number(Question::IsPointer(member.type_id), |btf| btf.is_pointer(member).then_some(1)).is_some()
    }

    /// As [`Btf::function`].
    pub fn function(&self, name: &str) -> Option<TypeId> {
        self.number(Question::Function(name.to_owned()), |btf| btf.function(name))
    }

    /// As [`Btf::typedef`].
    pub fn typedef(&self, name: &str) -> Option<TypeId> {
        self.number(Question::Typedef(name.to_owned()), |btf| btf.typedef(name))
    }

    /// As [`Btf::has_function`].
    pub fn has_function(&self, name: &str) -> bool {
        self.function(name).is_some()
    }

    /// As [`Btf::arg_count`].
    pub fn arg_count(&self, name: &str) -> Option<usize> {
        let count = self.number(Question::Arguments(name.to_owned()), |btf| {
            btf.arg_count(name).and_then(|count| u32::try_from(count).ok())
        });
        count.map(|count| count as usize)
    }

    /// As [`Btf::enumerator`].
    pub fn enumerator(&self, enum_name: &str, value: &str) -> Option<u64> {
        let question = Question::Enumerator(enum_name.to_owned(), value.to_owned());
        self.numbers.get(question, |_| self.tables()?.enumerator(enum_name, value))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::btf::tests::path;

    #[test]
    fn what_was_forgotten_is_read_again() {
        let dir = std::env::temp_dir().join(format!("iova-types-{}", std::process::id()));
        std::fs::create_dir_all(dir.join("sys/kernel/btf")).unwrap();
        std::fs::copy(path("6.12"), dir.join(PATH)).unwrap();
        let root = Root::at(&dir);
        let types = Types::of(Btf::parse(root.bytes(PATH).unwrap()).unwrap(), &root);
        let member = types.member("iova_domain.rbroot").unwrap();
        let size = types.size_of("iova_domain");
        types.forget();
        assert!(lock(&types.tables).is_none());
        // Known answers, good and bad, need no tables.
        assert_eq!((types.member("iova_domain.rbroot"), types.size_of("iova_domain")), (Some(member), size));
        assert!(lock(&types.tables).is_none() && !types.is_empty());
        assert!(types.has_function("remove_iova") && types.offset("iova_domain.no_such").is_none());
        assert!(lock(&types.tables).is_some());
        types.forget();
        std::fs::remove_dir_all(dir).unwrap();
        assert!(types.offset("iova_domain.no_such").is_none() && types.has_function("remove_iova"));
        assert_eq!(types.size_of("rb_node"), None);
    }
}
