//! What a broker is told about a process that it has a descriptor of.
//!
//! It proves "this broker asked about that process", never "that process asked": who asked is in the
//! answer, in the record and in the why, and is told only if it is still who asked. Nobody challenges the
//! process, so what it runs is worth `claimed`.

use witgate_peer::{Delegated, Subject};
use witgate_protocol::{Problem, You};

use crate::{
    Answer, Caller, Decider, Grant,
    draft::{Lost, Request},
    why::Protocol,
    you,
};

impl Decider {
    /// Answers a broker, about a process. It counts against the limits of the broker.
    pub async fn attest_for(&self, broker: &Caller, subject: &Subject<Delegated>) -> Answer {
        self.decide_for(broker, subject).await.into()
    }

    async fn decide_for(
        &self,
        broker: &Caller,
        subject: &Subject<Delegated>,
    ) -> Result<Grant, Problem> {
        let least = You::new(broker.subject.pid().as_u32(), broker.subject.uid());
        let request = Request::begin(self.node(), subject, Protocol::Broker).asked_by(least);
        let _place = self.place(&request)?;
        let (generation, facts) = self.begin(broker, subject, &request).await?;
        let its_facts = broker.subject.collect(you::facts(), self.reader()).await;
        let its_facts = its_facts
            .map_err(|error| self.refuse_peer(&request, &generation, &Lost::broker(error)))?;
        let request = request.asked_by(you::you(&broker.subject, &its_facts));
        let recipient = broker.subject.bind(its_facts).map(drop);
        let draft = self.draft(&request, subject, &generation, facts).await?;
        self.conclude(draft, &generation.policy, |draft| {
            let recipient = broker.subject.confirm(recipient).map_err(Lost::broker)?;
            Ok(subject.confirm_for(draft, recipient)?)
        })
    }
}
