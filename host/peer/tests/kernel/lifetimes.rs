use witgate_facts::{FactName, FactSet, FactSource as _, Lifetimes};
use witgate_testkit::child::{Actor, Cgroup};

use crate::scene::Scene;

fn unique(name: &str) -> String {
    format!("witgate-{}-{name}", std::process::id())
}

async fn lifetimes(scene: &Scene, actor: &Actor) -> Lifetimes {
    scene.observe(actor.pid()).await.lifetimes()
}

#[tokio::test]
async fn a_process_has_one_name_while_it_lives_and_no_other_has_it() {
    let scene = Scene::new();
    let (first, second) = (Actor::spawn(), Actor::spawn());
    let name = lifetimes(&scene, &first).await.process.unwrap();
    assert_eq!(lifetimes(&scene, &first).await.process.as_ref(), Some(&name));
    assert_ne!(lifetimes(&scene, &second).await.process.unwrap(), name);
    // By way of a socket, too; and by whatever program it is.
    let (first, subject) = scene.guest(first);
    assert_eq!(scene.all(&subject).await.lifetimes().process.as_ref(), Some(&name));
    first.exec("/bin/sleep", &["1000"]);
    assert_eq!(lifetimes(&scene, &first).await.process.as_ref(), Some(&name));
}

#[tokio::test]
async fn the_next_process_of_that_number_has_another_name() {
    let scene = Scene::new();
    let before = Actor::spawn();
    let (pid, name) = (before.pid(), lifetimes(&scene, &before).await.process.unwrap());
    drop(before);
    let after = Actor::spawn_as(pid);
    assert_ne!(lifetimes(&scene, &after).await.process.unwrap(), name);
}

#[tokio::test]
async fn a_cgroup_that_is_made_again_has_another_name() {
    let scene = Scene::new();
    for hierarchy in ["unified", "pids"] {
        let path = unique("remade");
        let mut names = Vec::new();
        for _ in 0..2 {
            let cgroup = Cgroup::create(hierarchy, &path);
            let (first, second) = (Actor::spawn().enter(&cgroup), Actor::spawn().enter(&cgroup));
            let name = lifetimes(&scene, &first).await.cgroup.unwrap();
            assert!(name.contains(&path), "{name}");
            assert_eq!(lifetimes(&scene, &second).await.cgroup.as_ref(), Some(&name));
            names.push(name);
            drop((first, second));
        }
        assert_ne!(names[0], names[1], "{hierarchy}");
    }
}

#[tokio::test]
async fn what_a_user_may_name_gives_no_name() {
    let scene = Scene::new();
    let user = unique("user");
    let delegated = Cgroup::create("unified", &user);
    delegated.give_to(1000);
    let (one, two) = (
        Cgroup::create("unified", &format!("{user}/one")),
        Cgroup::create("unified", &format!("{user}/two")),
    );
    let (in_one, in_two) = (Actor::spawn().enter(&one), Actor::spawn().enter(&two));
    let name = lifetimes(&scene, &in_one).await.cgroup;
    assert_eq!(name, lifetimes(&scene, &in_two).await.cgroup);
    assert_eq!(name, lifetimes(&scene, &Actor::spawn()).await.cgroup);
}

#[tokio::test]
async fn names_do_not_depend_on_which_facts_are_wanted() {
    let scene = Scene::new();
    let cgroup = Cgroup::create("unified", &unique("wanted"));
    let (_actor, subject) = scene.guest(Actor::spawn().enter(&cgroup));
    let none = subject.collect(FactSet::EMPTY, &scene.reader).await.unwrap();
    let trusted = [FactName::CgroupsTrusted].into_iter().collect();
    let some = subject.collect(trusted, &scene.reader).await.unwrap();
    assert!(none.lifetimes().cgroup.is_some());
    assert_eq!(none.lifetimes(), some.lifetimes());
}

#[tokio::test]
async fn who_has_moved_or_exited_has_no_name_that_could_be_its_successors() {
    let scene = Scene::new();
    let (a, b) = (Cgroup::create("pids", &unique("a")), Cgroup::create("pids", &unique("b")));
    let actor = Actor::spawn().enter(&a);
    let facts = scene.observe(actor.pid()).await;
    b.admit(actor.pid());
    let names = facts.lifetimes();
    assert!(names.process.is_some() && names.cgroup.is_none(), "{names:?}");
    let facts = scene.observe(actor.pid()).await;
    actor.exit(0);
    assert_eq!(facts.lifetimes(), Lifetimes::default());
}
