"""The sentences of eight invented news stories. Every inner tuple offers versions of the same step of a story."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Story:
    """`body` is told in order, one version of each step; `summary` is the reference."""

    body: tuple[tuple[str, ...], ...]
    summary: str


BRIDGE = Story(
    body=(
        ("The footbridge over the river in {town} will close on {day} {month} for repairs that are expected to last "
         "{small} weeks.",
         "Walkers in {town} will have to do without their footbridge for {small} weeks from {day} {month}, when "
         "long-delayed repairs begin."),
        ("Engineers found cracks in {medium} of its wooden beams during an inspection last winter.",
         "An inspection last winter showed that {medium} of the wooden beams had begun to rot."),
        ("The town council has set aside {money} for the work, which includes new railings and lamps.",
         "New beams, railings and lamps will cost {money}, according to the town council."),
        ("{lead}, who leads the project, said that waiting another year would have doubled the bill.",
         "Project leader {lead} called the closure unpleasant but cheaper than another year of waiting."),
        ("Built in {year}, the bridge is crossed by about {large} people a day, many of them schoolchildren.",
         "Some {large} people, among them many schoolchildren, use the bridge of {year} every day."),
        ("During the closure a small ferry will run every {small} minutes between seven in the morning and dusk.",
         "A free ferry is going to replace the bridge from early morning until dusk."),
        ("Shopkeepers on the east bank fear for their trade, and {critic} has asked the council for compensation.",
         "{critic}, who runs a bakery on the east bank, expects to lose a third of the customers and wants help."),
        ("The council answered that it would decide about compensation once the first month is over.",
         "A decision about payments to shopkeepers is due after the first month."),
    ),
    summary="The footbridge in {town} closes on {day} {month} for {small} weeks of repairs costing {money}, after cracks "
    "were found in {medium} beams. A ferry will replace it, while shopkeepers such as {critic} ask for compensation.",
)  # fmt: skip

OWLS = Story(
    body=(
        ("A colony of short-eared owls has returned to the marshes near {town} after an absence of {medium} years.",
         "For the first time in {medium} years, short-eared owls are breeding in the marshes near {town}."),
        ("Volunteers counted {small} nests in {month}, most of them on islands that foxes cannot reach.",
         "In {month} a group of volunteers found {small} nests, nearly all on small islands."),
        ("Biologist {lead} believes that higher water levels have brought back the voles on which the owls feed.",
         "The reason, says biologist {lead}, is the return of voles since the water level was raised."),
        ("The marshes were drained in {year} to make room for pasture and were flooded again only a few years ago.",
         "Farmers had drained the area in {year}, and it took {money} and much persuasion to flood it again."),
        ("Since then the number of plant species has grown by {percent} per cent, a survey by the university shows.",
         "A university survey found {percent} per cent more plant species than before the flooding."),
        ("Not everybody is pleased: {critic}, whose cattle used to graze there, misses the summer pasture.",
         "{critic}, a cattle farmer, complains that birds have more friends on the council than farmers."),
        ("To keep visitors at a distance, wardens have closed two paths and put up a hide with room for {small} people.",
         "Two paths are closed until autumn, but a new hide lets visitors watch the owls without disturbing them."),
        ("{helper}, who looks after the hide, advises people to come at dusk, when the birds hunt.",
         "The best time to come is dusk, according to {helper}, who looks after the hide."),
    ),
    summary="Short-eared owls are breeding near {town} again after {medium} years, with {small} nests counted in {month}. "
    "Biologist {lead} credits higher water and returning voles; farmer {critic} regrets the lost pasture.",
)  # fmt: skip

CHOIR = Story(
    body=(
        ("A choir of {medium} amateur singers from {town} has won the national choral contest in {other_town}.",
         "The amateur choir of {town} came home from {other_town} with the first prize of the national choral contest."),
        ("The jury praised the clear sound of the group and its courage to sing a piece that nobody knew.",
         "What convinced the jury was a little-known piece, sung from memory and without a conductor."),
        ("It had been written in {year} by a village teacher whose papers were found in an attic.",
         "A village teacher wrote it in {year}, and the score lay forgotten in an attic until last spring."),
        ("{lead}, who founded the choir with {small} neighbours, first thought that the jury had read the wrong name.",
         "Founder {lead} began with {small} neighbours in a garage and never planned to take part in contests."),
        ("The prize of {money} will pay for a rehearsal room with heating, something the singers have never had.",
         "With the prize of {money} the choir wants to rent a room that is warm in winter."),
        ("About {large} people listened in the hall, and the final was broadcast on the radio.",
         "The final in front of {large} listeners was also broadcast on the radio."),
        ("Second place went to a students' choir led by {critic}, last year's winner.",
         "{critic}, whose students' choir won last year, had to be content with second place."),
        ("Anybody may join, says {lead_last}: there is no audition, only the duty to bring cake twice a year.",
         "New members need no audition, but they have to bring cake twice a year, as {lead_last} likes to point out."),
    ),
    summary="The amateur choir of {town}, founded by {lead}, won the national choral contest in {other_town} with a "
    "forgotten piece from {year}. The prize of {money} will pay for a heated rehearsal room.",
)  # fmt: skip

BUSES = Story(
    body=(
        ("From {month} on, buses in {town} will be free on Saturdays, the city announced on Tuesday.",
         "Passengers in {town} will not need a ticket on Saturdays from {month} on, the city said on Tuesday."),
        ("The trial will last one year and cost {money}, most of which comes from parking fees.",
         "Parking fees are to cover most of the {money} that the one-year trial will cost."),
        ("Mayor {lead} hopes that {percent} per cent more people will leave their cars at home.",
         "The aim is {percent} per cent more passengers, said Mayor {lead}, and fewer cars looking for a space."),
        ("Last year about {large} people a day took the bus, fewer than in {other_town}, which is half the size.",
         "At present some {large} people use the buses each day, which is little for a town of this size."),
        ("To prepare for the crowds the operator has bought {small} electric buses and is training {medium} drivers.",
         "The operator is training {medium} new drivers and will put {small} electric buses on the road."),
        ("Critics such as {critic} of the taxi drivers' association call the plan an expensive present to shoppers.",
         "{critic}, who speaks for the taxi drivers, fears that the plan will ruin small companies."),
        ("A similar trial in {other_town} was stopped after {small} months because the buses were too full.",
         "In {other_town} an earlier trial led to overcrowded buses and ended after {small} months."),
        ("{helper}, a researcher in transport, expects that half of the new passengers would otherwise have walked.",
         "Transport researcher {helper} warns that many new passengers may simply be people who used to walk."),
    ),
    summary="Buses in {town} will be free on Saturdays from {month} in a one-year trial costing {money}. Mayor {lead} "
    "hopes for {percent} per cent more passengers; taxi drivers' spokesman {critic} opposes it.",
)  # fmt: skip

DIG = Story(
    body=(
        ("Workers laying a water pipe near {town} have come upon the remains of a pottery more than a thousand years old.",
         "The remains of a pottery, more than a thousand years old, were found near {town} when a water pipe was laid."),
        ("Archaeologists have so far uncovered {small} kilns and {large} fragments of bowls and jugs.",
         "So far {small} kilns and some {large} fragments of jugs and bowls have been cleaned and numbered."),
        ("{lead}, who directs the excavation, called the find the most important in the region since {year}.",
         "Not since {year} has so much been found in the region in one place, said {lead}, who directs the dig."),
        ("Traces of a blue glaze suggest that the potters traded with ports far to the south.",
         "A blue glaze on some of the bowls points to trade with distant ports in the south."),
        ("On the bottom of one jug the team found a child's fingerprint, perhaps that of an apprentice.",
         "One jug bears a small fingerprint, which may have been left by an apprentice of about ten."),
        ("The water company has agreed to wait until {month}, although each week of delay costs it a good deal.",
         "Construction of the pipe will rest until {month}, which the water company accepted after some discussion."),
        ("{critic}, the owner of the field, hopes for a small museum and has offered an empty barn.",
         "An empty barn on the field could become a museum if its owner, {critic}, can persuade the council."),
        ("The state has promised {money} for the first year, and {medium} students will help during their holidays.",
         "With {money} from the state and the help of {medium} students, the dig is to go on for at least a year."),
    ),
    summary="Pipe workers near {town} found a pottery over a thousand years old. Archaeologists led by {lead} uncovered "
    "{small} kilns and {large} fragments; work on the pipe rests until {month}, and the state gives {money}.",
)  # fmt: skip

RACE = Story(
    body=(
        ("{lead} from {town} has won the hill race to the old observatory for the third time in a row.",
         "For the third year running, the hill race to the old observatory has been won by {lead} from {town}."),
        ("In heavy fog the {age}-year-old needed one hour and {small} minutes for the steep eleven kilometres.",
         "The {age}-year-old reached the top after one hour and {small} minutes, in fog so thick that nobody saw it."),
        ("Favourite {critic} of {other_town} took a wrong turn at the quarry and came in fourth.",
         "{critic} from {other_town}, who had been expected to win, lost the way at the quarry and ended up fourth."),
        ("Of the {large} runners who started, about {percent} per cent gave up before the last climb.",
         "About {percent} per cent of the {large} starters did not reach the finish."),
        ("The race was first held in {year}, when the astronomers wanted to find out who could bring bread fastest.",
         "It goes back to {year}, when astronomers held a contest among the boys who brought them bread."),
        ("Winners still receive a loaf instead of money, and this year's weighed {small} kilograms.",
         "There is no prize money: the winner gets a loaf of {small} kilograms and a handshake."),
        ("{lead_last} cut it into slices at the finish and shared it with those who came in last.",
         "As in the years before, {lead_last} shared the loaf with the last runners to arrive."),
        ("Next year the course may have to change, as {helper} of the forestry office wants to protect young trees.",
         "{helper} of the forestry office has asked for another course next year, to protect young trees."),
    ),
    summary="{lead} from {town} won the foggy hill race to the observatory for the third time, while favourite {critic} "
    "got lost and came fourth. About {percent} per cent of {large} runners gave up.",
)  # fmt: skip

CLINIC = Story(
    body=(
        ("A travelling dental clinic built into a former post van has begun its rounds through villages near {town}.",
         "Villages near {town} are getting a dentist again, at least once a fortnight and inside a former post van."),
        ("Within its first month it treated {medium} patients, some of whom had not seen a dentist for {small} years.",
         "In the first month {medium} people were treated, a few of them for the first time in {small} years."),
        ("Dentist {lead} had the idea when the last practice in the valley closed in {month}.",
         "The idea came to dentist {lead} when the only practice in the valley shut its doors in {month}."),
        ("Buying the van and fitting it out cost {money}, of which a foundation paid more than half.",
         "A foundation paid more than half of the {money} that the van and its equipment cost."),
        ("It carries an X-ray device, two chairs and a tank that holds enough water for {small} treatments.",
         "There is room for two chairs, an X-ray device and a water tank that lasts for {small} treatments."),
        ("The roads are the harder part, says driver {helper}, who has already been stuck in mud twice.",
         "Driver {helper} finds the roads harder than the patients and carries a spade since the first rain."),
        ("Health insurers cover the usual treatments, but {critic}, who speaks for them, wants to see figures first.",
         "{critic} of the insurers' association will decide in a year whether the visits remain fully covered."),
        ("About {large} people live in the valley, and {percent} per cent of them are older than sixty-five.",
         "Of the roughly {large} people in the valley, {percent} per cent are over sixty-five."),
    ),
    summary="A dental clinic in a former post van, the idea of dentist {lead}, now visits villages near {town} and treated "
    "{medium} patients in its first month. It cost {money}, more than half of it from a foundation.",
)  # fmt: skip

HEATING = Story(
    body=(
        ("The public swimming pool of {town} will be heated by the computers of a nearby data centre from {month}.",
         "From {month}, waste heat of a data centre will keep the public swimming pool of {town} warm."),
        ("A pipe of {large} metres carries water at {medium} degrees from the servers to the pool and back.",
         "Water of {medium} degrees will flow through a pipe {large} metres long between the servers and the pool."),
        ("The town expects to burn {percent} per cent less gas and to have paid off the {money} within {small} years.",
         "Having cost {money}, the system should pay for itself in {small} years, as {percent} per cent less gas is burnt."),
        ("Engineer {lead} had proposed it twice before, but only high gas prices made the council listen.",
         "It took high gas prices, says engineer {lead}, before the council took up the old proposal."),
        ("The pool dates from {year} and had been threatened with closure for most of the past ten years.",
         "For years the pool, which was opened in {year}, had been on the list of buildings to be closed."),
        ("{critic} of the swimming club remains careful, because the contract with the data centre can be cancelled.",
         "The contract can be cancelled at short notice, and that worries {critic} of the swimming club."),
        ("If the servers rest, an old boiler takes over, and {helper} will test it on the first day of each month.",
         "{helper}, the caretaker, keeps the old boiler ready for days on which the servers are idle."),
        ("A delegation from {other_town} has already come to look, and took home a thermometer as a present.",
         "Visitors from {other_town} have already asked for the plans, since they have servers but no warm pool."),
    ),
    summary="Waste heat from a data centre will warm the public pool of {town} from {month}. The {money} project, proposed by "
    "engineer {lead}, cuts gas use by {percent} per cent and should pay off within {small} years.",
)  # fmt: skip

STORIES = (BRIDGE, OWLS, CHOIR, BUSES, DIG, RACE, CLINIC, HEATING)

BACKGROUND = (
    "Local radio had reported the news on the evening before, and by morning it was the talk of the market square.",
    "People in {town} have been waiting for something of the kind for years, to judge by the letters to the paper.",
    "A public meeting on {day} {month} drew more people than the hall could hold.",
    "In {other_town}, further up the road, people followed the news with some envy.",
    "The mayor's office received {medium} messages about it within a single day.",
    "The local chronicle, which is written by hand, has already given it a page of its own.",
    "Asked about it at the weekly market, most people had an opinion and some had two.",
    "Photographs from the first days can be seen in the town hall until the end of the month.",
    "Schools in the area intend to make it a subject of lessons after the holidays.",
)
CLOSING = (
    "A first report is to be published in the spring.",
    "More information is available at the town hall on weekday mornings.",
    "Whether the enthusiasm will last through the winter remains to be seen.",
    "The next steps will be discussed at a meeting that is open to everyone.",
    "For the time being, everybody involved seems to be content.",
)
