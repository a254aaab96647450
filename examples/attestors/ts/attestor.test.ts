import { checkFixtures } from "@witgate/sdk/testing";

import plugin from "./attestor.ts";

checkFixtures(plugin);
